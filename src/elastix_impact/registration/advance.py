"""One iteration: from a loop's state to the next, and to nothing else."""

import time
from dataclasses import dataclass, replace
from typing import final

import torch

from elastix_impact.metrics.base import AbstractMetric
from elastix_impact.optimizers.base import AbstractOptimizer
from elastix_impact.samplers.base import AbstractSampler
from elastix_impact.transforms.base import AbstractTransform

from .state import LoopState, UnreadRow
from .stepping import AbstractStepping, AnyOptimizer, GradientStepping, LineSearchStepping, Step


@final
@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """How long a level runs and when it gives up.

    `maximum_number_of_sampling_attempts` is how many iterations in a row may have too few valid samples.
    `features_change` says that the metric at one place may differ between iterations, apart from new samples.
    """

    iterations: int
    new_samples_every_iteration: bool
    required_ratio_of_valid_samples: float
    maximum_number_of_sampling_attempts: int
    keep_parameters: bool
    features_change: bool = False


@final
class Advance:
    """Makes the iterations of one level; the same state always leads to the same next one.

    Parameters
    ----------
    metric, transform, sampler, optimizer, settings
        The level's parts; the transform is in the loop's frame at the level's start.
    generator
        Set to the state's own before each iteration; what draws from it was given it when it was made.
    """

    def __init__(
        self,
        metric: AbstractMetric,
        transform: AbstractTransform,
        sampler: AbstractSampler,
        optimizer: AnyOptimizer,
        settings: LoopSettings,
        generator: torch.Generator,
    ) -> None:
        self._metric, self._transform, self._sampler = metric, transform, sampler
        self._settings, self._generator = settings, generator
        self._stepping = self._stepping_of(optimizer)
        self.waits_for_the_device = not isinstance(optimizer, AbstractOptimizer)

    def begin(self) -> LoopState:
        """The state before the first iteration."""
        points, parameters = self._sampler.draw(self._generator), self._transform.parameters
        seed, now = self._generator.get_state(), time.perf_counter()
        return LoopState(0, parameters, points, self._metric, self._stepping.begin(parameters), seed, now)

    def restored(self, saved: dict[str, object]) -> LoopState:
        """The state that `LoopState.saved` gave."""
        return self.begin().restored(saved, self._transform)

    def advance(self, state: LoopState) -> LoopState:
        """One iteration."""
        self._generator.set_state(state.generator)
        points = state.points
        if state.iteration and self._settings.new_samples_every_iteration:
            points = self._sampler.draw(self._generator)
        metric = state.metric.begin_iteration(state.iteration, self._transform.with_parameters(state.parameters))
        step = self._stepping.step(metric, state.parameters, points, state.optimizer)
        now = time.perf_counter()
        return replace(
            state, iteration=state.iteration + 1, parameters=step.parameters, points=points, metric=metric,
            optimizer=step.state, generator=self._generator.get_state(), clock=now,
            unread=(*state.unread, self._row(step, (now - state.clock) * 1e3)),
        )  # fmt: skip

    def _row(self, step: Step, milliseconds: float) -> UnreadRow:
        parameters = step.parameters.double().cpu() if self._settings.keep_parameters else None
        return UnreadRow(step.numbers(), tuple(step.measured.parts), milliseconds, parameters, step.search)

    def _stepping_of(self, optimizer: AnyOptimizer) -> AbstractStepping:
        """What makes the steps of this kind of optimiser."""
        settings, ratio = self._settings, self._settings.required_ratio_of_valid_samples
        if isinstance(optimizer, AbstractOptimizer):
            return GradientStepping(self._transform, optimizer, ratio)
        anew = settings.new_samples_every_iteration and self._sampler.is_random
        changes = anew or settings.features_change
        return LineSearchStepping(self._transform, optimizer, ratio, self._generator, changes=changes)
