"""How far a registration is, one JSON object per line, for programs that show it themselves."""

import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO, final

from elastix_impact.io.json_text import write_event
from elastix_impact.parameters.plan import StagePlan
from elastix_impact.registration.observe import NullObserver
from elastix_impact.registration.result import IterationRecord, LevelRecord
from elastix_impact.transforms.base import AbstractTransform

SECONDS_BETWEEN_ITERATIONS = 0.1


@final
class JsonProgress(NullObserver):
    """Events ``stage``, ``phase``, ``level``, ``iteration`` (at most ten per second) and ``level_end``.

    Parameters
    ----------
    stages
        How many maps there are, for `fraction`: the share in [0, 1] of all levels' iterations that is done.
    """

    def __init__(self, stream: TextIO, stages: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._stages, self._clock = stream, stages, clock
        self._stage, self._levels, self._iterations = -1, 1, 0
        self._begun = self._last = clock()

    def on_start(self, plan: StagePlan, device: str) -> None:
        """Say which map runs where."""
        self._stage, self._levels = self._stage + 1, plan.number_of_levels
        self._say("stage", map=plan.source, device=device, levels=self._levels, stages=self._stages)

    def on_phase(self, level: int, phase: str) -> None:
        """Say what a level is doing."""
        self._say("phase", level=level, phase=phase)

    def on_level_start(self, level: int, iterations: int, transform: AbstractTransform, facts: dict[str, str]) -> None:
        """Say which level starts."""
        del facts
        self._iterations = iterations
        self._say("level", level=level, iterations=iterations, parameters=transform.parameters.numel())

    def on_iterations(self, level: int, rows: Sequence[IterationRecord], transform: AbstractTransform) -> bool:
        """Say where the level is, unless it was just said; never stops the run."""
        del transform
        now = self._clock()
        if rows and now - self._last >= SECONDS_BETWEEN_ITERATIONS:
            self._last = now
            row, elapsed = rows[-1], now - self._begun
            done = (self._stage + (level + (row.iteration + 1) / self._iterations) / self._levels) / self._stages
            self._say(
                "iteration", level=level, iteration=row.iteration, iterations=self._iterations, metric=row.metric,
                step_size=row.step_size, gradient_norm=row.gradient_norm, fraction=round(done, 4),
                eta_seconds=round(elapsed / done - elapsed, 1),
            )  # fmt: skip
        return False

    def on_level_end(self, record: LevelRecord, transform: AbstractTransform) -> None:
        """Say how the level ended."""
        del transform
        self._say(
            "level_end", level=record.level, iterations=record.iterations, first_metric=record.first_metric,
            final_metric=record.final_metric, stop_reason=record.stop_reason.name,
        )  # fmt: skip

    def _say(self, event: str, **facts: Any) -> None:
        seconds = round(self._clock() - self._begun, 3)
        write_event(self._stream, event, stage=max(self._stage, 0), **facts, seconds=seconds)
