"""Somebody who presses Ctrl-C during a run."""

from collections.abc import Sequence

from elastix_impact.registration.observe import NullObserver
from elastix_impact.registration.result import IterationRecord
from elastix_impact.transforms.base import AbstractTransform


class Interrupts(NullObserver):
    """Presses Ctrl-C, or raises something else, when a level has made some iterations."""

    def __init__(self, level: int, iteration: int, error: type[BaseException] = KeyboardInterrupt) -> None:
        self.place, self.error, self.seen = (level, iteration), error, list[tuple[int, int]]()

    def on_iterations(self, level: int, rows: Sequence[IterationRecord], transform: AbstractTransform) -> bool:
        self.seen += [(level, row.iteration) for row in rows]
        if self.seen[-1] >= self.place:
            raise self.error
        return False
