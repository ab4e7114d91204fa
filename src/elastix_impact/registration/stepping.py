"""One step of an optimiser: what is measured for it, and what it says of it."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from elastix_impact.metrics.base import AbstractMetric, MetricValue
from elastix_impact.optimizers.base import AbstractLineSearchOptimizer, AbstractOptimizer, Evaluation, LineSearchReport
from elastix_impact.transforms.base import AbstractTransform

from .measure import value_and_gradient

AnyOptimizer = AbstractOptimizer[Any] | AbstractLineSearchOptimizer[Any]


@final
@dataclass(frozen=True, eq=False)
class Step:
    """A step's outcome; all tensors but `parameters` (P,) and the metric's are scalars on the loop's device.

    Attributes
    ----------
    parameters
        After the step.
    state
        What the next step starts from.
    measured, gradient_norm
        Before the step; after it where the step was found by a line search.
    time, step_size, stopped
        See `AbstractOptimizer`.
    search
        How a line search found the step, None without one.
    """

    parameters: Tensor
    state: Any
    measured: MetricValue
    gradient_norm: Tensor
    time: Tensor
    step_size: Tensor
    stopped: Tensor
    search: LineSearchReport | None = None

    def numbers(self) -> Tensor:
        """A row of the table as float32, see `UnreadRow`."""
        measured = self.measured
        numbers = [
            measured.value.detach(), self.time, self.step_size, self.gradient_norm, measured.valid_fraction,
            self.stopped, *measured.parts.values(),
        ]  # fmt: skip
        return torch.stack([number.to(torch.float32) for number in numbers])


class AbstractStepping(ABC):
    """Makes the steps of one level; what changes from step to step is in the state that goes through it."""

    @abstractmethod
    def begin(self, parameters: Tensor) -> Any:
        """The state before the first step from `parameters` (P,)."""

    @abstractmethod
    def step(self, metric: AbstractMetric, parameters: Tensor, world_points: Tensor, state: Any) -> Step:
        """A step from `parameters` (P,) with samples at `world_points` (N, D) in mm."""


@final
class GradientStepping(AbstractStepping):
    """A step from the gradient; nothing waits for the device. Where too few samples are valid the gradient is zero."""

    def __init__(
        self, transform: AbstractTransform, optimizer: AbstractOptimizer[Any], required_ratio_of_valid_samples: float
    ) -> None:
        self._transform, self._optimizer = transform, optimizer
        self._required_ratio = required_ratio_of_valid_samples

    def begin(self, parameters: Tensor) -> Any:
        """The optimiser's first state."""
        return self._optimizer.init(parameters)

    def step(self, metric: AbstractMetric, parameters: Tensor, world_points: Tensor, state: Any) -> Step:
        """One step."""
        optimizer = self._optimizer
        measured, gradient = value_and_gradient(metric, self._transform, parameters, world_points)
        norm = torch.linalg.vector_norm(gradient)
        usable = (measured.valid_fraction >= self._required_ratio) & torch.isfinite(norm)
        parameters, state = optimizer.step(parameters, torch.where(usable, gradient, 0.0), state)
        return Step(
            parameters, state, measured, norm,
            optimizer.time(state), optimizer.step_size(state), optimizer.stopped(state),
        )  # fmt: skip


class LineSearchState(NamedTuple):
    """Between two line searches.

    Attributes
    ----------
    optimizer
        The optimiser's own state.
    here
        The metric where the last search ended, None before the first.
    seed
        State of the generator with which the metric is measured, None before the first.
    time
        Searches made.
    """

    optimizer: Any
    here: Evaluation | None = None
    seed: Tensor | None = None
    time: int = 0


@final
class LineSearchStepping(AbstractStepping):
    """A line search, along which the metric must not change: it draws the same channels and planes at each trial.

    Parameters
    ----------
    generator
        Set back before each evaluation to where it was when the iteration began, or the level if nothing `changes`.
    changes
        Whether the metric at one place may differ between iterations: with new samples or features. Otherwise it is not
        measured twice where one line ends and the next begins.
    """

    def __init__(
        self,
        transform: AbstractTransform,
        optimizer: AbstractLineSearchOptimizer[Any],
        required_ratio_of_valid_samples: float,
        generator: torch.Generator,
        *,
        changes: bool,
    ) -> None:
        self._transform, self._optimizer = transform, optimizer
        self._required_ratio, self._generator, self._changes = required_ratio_of_valid_samples, generator, changes

    def begin(self, parameters: Tensor) -> LineSearchState:
        """The state before the first search."""
        return LineSearchState(self._optimizer.init(parameters))

    def step(self, metric: AbstractMetric, parameters: Tensor, world_points: Tensor, state: LineSearchState) -> Step:
        """One line search, none where the metric can't be used."""
        seed = self._generator.get_state() if state.seed is None or self._changes else state.seed

        def evaluate(place: Tensor) -> Evaluation:
            return self._evaluate(metric, place, world_points, seed)

        here = evaluate(parameters) if state.here is None or self._changes else state.here
        inner = state.optimizer
        if math.isfinite(here.value):
            parameters, here, inner = self._optimizer.step(parameters, here, evaluate, inner)
        report = self._optimizer.report(inner) if math.isfinite(here.value) else None
        return Step(
            parameters,
            LineSearchState(inner, here, seed, state.time + 1),
            here.found,
            torch.linalg.vector_norm(here.gradient),
            parameters.new_tensor(state.time),
            parameters.new_tensor(report.search.best.step if report else 0.0),
            parameters.new_tensor(self._optimizer.stopped(inner)),
            report,
        )

    def _evaluate(self, metric: AbstractMetric, parameters: Tensor, world_points: Tensor, seed: Tensor) -> Evaluation:
        """The metric, infinite where it can't be used."""
        self._generator.set_state(seed)
        measured, gradient = value_and_gradient(metric, self._transform, parameters, world_points)
        numbers = [measured.value.detach(), measured.valid_fraction, torch.linalg.vector_norm(gradient)]
        value, fraction, norm = torch.stack([number.to(torch.float32) for number in numbers]).tolist()
        usable = fraction >= self._required_ratio and math.isfinite(value) and math.isfinite(norm)
        found = replace(measured, value=measured.value.detach())
        return Evaluation(value if usable else math.inf, gradient, found)
