"""Watching a run from Python: every iteration is kept, and a callback may stop it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from elastix_impact.parameters.plan import StagePlan
from elastix_impact.registration.observe import NullObserver
from elastix_impact.registration.result import IterationRecord
from elastix_impact.transforms.base import AbstractTransform


@final
@dataclass(frozen=True, slots=True)
class IterationState:
    """Where a run is.

    Attributes
    ----------
    stage, level, iteration
        Counted from 0: which map, which resolution, which iteration of it.
    metric
        What is minimised.
    step_size, gradient_norm
        Gain of the step and length of the gradient.
    valid_fraction
        Share of the samples that lie in the moving image and mask.
    """

    stage: int
    level: int
    iteration: int
    metric: float
    step_size: float
    gradient_norm: float
    valid_fraction: float


Callback = Callable[[IterationState], object]
"""Called with every iteration; returning True stops the run."""


@final
class Watcher(NullObserver):
    """Keeps the iterations and asks the callback; a GPU's rows come in batches."""

    def __init__(self, callback: Callback | None) -> None:
        self.states: list[IterationState] = []
        self._callback, self._stage = callback, -1

    def on_start(self, plan: StagePlan, device: str) -> None:
        """Count the stages."""
        del plan, device
        self._stage += 1

    def on_iterations(self, level: int, rows: Sequence[IterationRecord], transform: AbstractTransform) -> bool:
        """Keep the rows; True if the callback said so."""
        del transform
        for row in rows:
            state = IterationState(
                self._stage, level, row.iteration, row.metric, row.step_size, row.gradient_norm, row.valid_fraction
            )
            self.states.append(state)
            if self._callback is not None and self._callback(state) is True:
                return True
        return False
