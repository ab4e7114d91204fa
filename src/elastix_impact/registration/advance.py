"""One iteration: from parameters and points to better parameters, and what the table says of it."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from elastix_impact.metrics.base import AbstractMetric, MetricValue
from elastix_impact.optimizers.base import AbstractLineSearchOptimizer, AbstractOptimizer, Evaluation, LineSearchReport
from elastix_impact.transforms.base import AbstractTransform

from .measure import value_and_gradient


@final
@dataclass(frozen=True, eq=False)
class Advanced:
    """An iteration's outcome; all tensors but `parameters` (P,) and the metric's are scalars on the loop's device.

    Attributes
    ----------
    parameters
        After the step.
    measured, gradient_norm
        Before the step; after it where the step was found by a line search.
    time, step_size, stopped
        See `AbstractOptimizer`.
    search
        How a line search found the step, None without one.
    """

    parameters: Tensor
    measured: MetricValue
    gradient_norm: Tensor
    time: Tensor
    step_size: Tensor
    stopped: Tensor
    search: LineSearchReport | None = None

    def numbers(self) -> Tensor:
        """A row of the table, to be read by `registration.loop`: the metric's parts come last."""
        measured = self.measured
        numbers = [
            measured.value.detach(), self.time, self.step_size, self.gradient_norm, measured.valid_fraction,
            self.stopped, *measured.parts.values(),
        ]  # fmt: skip
        return torch.stack([number.to(torch.float32) for number in numbers])


class AbstractAdvance(ABC):
    """Makes the iterations of one level, one after the other."""

    @abstractmethod
    def advance(self, parameters: Tensor, world_points: Tensor) -> Advanced:
        """One iteration from `parameters` (P,) with samples at `world_points` (N, D) in mm."""


@final
class GradientAdvance(AbstractAdvance):
    """A step from the gradient; nothing waits for the device. Where too few samples are valid the gradient is zero."""

    def __init__(
        self,
        metric: AbstractMetric,
        transform: AbstractTransform,
        optimizer: AbstractOptimizer[Any],
        required_ratio_of_valid_samples: float,
    ) -> None:
        self._metric, self._transform, self._optimizer = metric, transform, optimizer
        self._required_ratio = required_ratio_of_valid_samples
        self._state = optimizer.init(transform.parameters)

    def advance(self, parameters: Tensor, world_points: Tensor) -> Advanced:
        """One step."""
        optimizer = self._optimizer
        measured, gradient = value_and_gradient(self._metric, self._transform, parameters, world_points)
        norm = torch.linalg.vector_norm(gradient)
        usable = (measured.valid_fraction >= self._required_ratio) & torch.isfinite(norm)
        parameters, state = optimizer.step(parameters, torch.where(usable, gradient, 0.0), self._state)
        self._state = state
        return Advanced(
            parameters, measured, norm, optimizer.time(state), optimizer.step_size(state), optimizer.stopped(state)
        )


@final
class LineSearchAdvance(AbstractAdvance):
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
        metric: AbstractMetric,
        transform: AbstractTransform,
        optimizer: AbstractLineSearchOptimizer[Any],
        required_ratio_of_valid_samples: float,
        generator: torch.Generator,
        *,
        changes: bool,
    ) -> None:
        self._metric, self._transform, self._optimizer = metric, transform, optimizer
        self._required_ratio, self._generator, self._changes = required_ratio_of_valid_samples, generator, changes
        self._state = optimizer.init(transform.parameters)
        self._seed = generator.get_state()
        self._here: Evaluation | None = None
        self._time = 0

    def advance(self, parameters: Tensor, world_points: Tensor) -> Advanced:
        """One line search, none where the metric can't be used."""
        if self._here is None or self._changes:
            self._seed = self._generator.get_state()
            self._here = self._evaluate(parameters, world_points)
        if math.isfinite(self._here.value):
            parameters, self._here, self._state = self._optimizer.step(
                parameters, self._here, lambda place: self._evaluate(place, world_points), self._state
            )
        self._time += 1
        report = self._optimizer.report(self._state) if math.isfinite(self._here.value) else None
        return Advanced(
            parameters,
            self._here.found,
            torch.linalg.vector_norm(self._here.gradient),
            parameters.new_tensor(self._time - 1),
            parameters.new_tensor(report.search.best.step if report else 0.0),
            parameters.new_tensor(self._optimizer.stopped(self._state)),
            report,
        )

    def _evaluate(self, parameters: Tensor, world_points: Tensor) -> Evaluation:
        """The metric, infinite where it can't be used."""
        self._generator.set_state(self._seed)
        measured, gradient = value_and_gradient(self._metric, self._transform, parameters, world_points)
        numbers = [measured.value.detach(), measured.valid_fraction, torch.linalg.vector_norm(gradient)]
        value, fraction, norm = torch.stack([number.to(torch.float32) for number in numbers]).tolist()
        usable = fraction >= self._required_ratio and math.isfinite(value) and math.isfinite(norm)
        return Evaluation(value if usable else math.inf, gradient, measured)
