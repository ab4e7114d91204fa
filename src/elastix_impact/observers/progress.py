"""Showing how far a registration is: a bar on a terminal, plain lines elsewhere."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TextIO, final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.parameters.plan import StagePlan
from elastix_impact.registration.observe import Observer
from elastix_impact.registration.result import IterationRecord, LevelRecord
from elastix_impact.transforms.base import AbstractTransform

from .progress_json import JsonProgress

SECONDS_BETWEEN_LINES = 10.0

_PHASES = {
    "search": "searching for a start",
    "pyramid": "smoothing the images",
    "features": "computing features",
    "estimation": "estimating the step size",
    "loop": "registering",
    "elastix": "in elastix",
    "evaluation": "measuring the result",
}


ProgressForm = Literal["auto", "plain", "json", "none"]
"""``"auto"``: a bar on a terminal, else plain lines."""


@contextlib.contextmanager
def showing_progress(stream: TextIO, form: ProgressForm, *, stages: int = 1) -> Iterator[tuple[Observer, ...]]:
    """The observers that show the progress of a run of so many maps on a stream."""
    if form == "none":
        yield ()
    elif form == "json":
        yield (JsonProgress(stream, stages),)
    elif form == "auto" and stream.isatty():
        bar = BarProgress(stream)
        try:
            yield (bar,)
        finally:
            bar.close()
    else:
        yield (LineProgress(stream),)


@final
class LineProgress:
    """One line when a level starts and ends, and one every ten seconds between."""

    wants_parameters = False

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._levels = self._iterations = 0
        self._last = self._begun = clock()

    def on_start(self, plan: StagePlan, device: str) -> None:
        """Say which map runs where."""
        self._levels = plan.number_of_levels
        self._say(f"registering with {plan.source} on {device}")

    def on_phase(self, level: int, phase: str) -> None:
        """Say which level elastix is at, and when the result is measured; native levels say more when they start."""
        if phase == "elastix":
            self._say(f"level {level + 1}/{self._levels}: {_PHASES[phase]}")
        elif phase == "evaluation":
            self._say(_PHASES[phase])

    def on_level_start(self, level: int, iterations: int, transform: AbstractTransform, facts: dict[str, str]) -> None:
        """Say which level starts."""
        del facts
        self._iterations, self._begun = iterations, self._clock()
        parameters = transform.parameters.numel()
        self._say(f"level {level + 1}/{self._levels}: {iterations} iterations, {parameters} parameters")

    def on_iterations(self, level: int, rows: Sequence[IterationRecord], transform: AbstractTransform) -> bool:
        """Say where the level is if the last line is ten seconds old; never stops the run."""
        del transform
        now = self._clock()
        if rows and now - self._last >= SECONDS_BETWEEN_LINES:
            done = rows[-1].iteration + 1
            left = (now - self._begun) / done * (self._iterations - done)
            self._say(
                f"level {level + 1}/{self._levels}: iteration {done}/{self._iterations}, "
                f"metric {rows[-1].metric:.6g}, about {left:.0f} s left in this level"
            )
        return False

    def on_feature_map(self, name: str, features: Tensor, grid: Grid) -> None:
        """Do nothing."""
        del name, features, grid

    def on_level_end(self, record: LevelRecord, transform: AbstractTransform) -> None:
        """Say how the level ended."""
        del transform
        self._say(
            f"level {record.level + 1}/{self._levels}: metric {record.first_metric:.6g} -> {record.final_metric:.6g} "
            f"in {sum(record.seconds.values()):.1f} s"
        )

    def _say(self, text: str) -> None:
        self._last = self._clock()
        self._stream.write(text + "\n")
        self._stream.flush()


@final
class BarProgress:
    """One bar per level with iteration, metric and time left; gone when the level ends, replaced by a line."""

    wants_parameters = False

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream)
        self._levels = 0
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def on_start(self, plan: StagePlan, device: str) -> None:
        """Say which map runs where; the bar of a plan that was handed on goes."""
        self.close()
        self._levels = plan.number_of_levels
        self._console.print(f"registering with {plan.source} on {device}", highlight=False)

    def on_phase(self, level: int, phase: str) -> None:
        """Show the phase; the first one of a level opens its bar, and measuring has a line instead."""
        if phase == "evaluation":
            self.close()
            self._console.print(_PHASES[phase], highlight=False)
            return
        if self._progress is None:
            self._open()
        assert self._progress is not None
        doing = _PHASES.get(phase, phase)
        self._progress.update(self._task, description=f"level {level + 1}/{self._levels}: {doing}")

    def on_level_start(self, level: int, iterations: int, transform: AbstractTransform, facts: dict[str, str]) -> None:
        """Set the bar's length."""
        del transform, facts
        if self._progress is None:
            self._open()
        assert self._progress is not None
        self._progress.reset(
            self._task, total=iterations, description=f"level {level + 1}/{self._levels}: registering", metric=""
        )

    def on_iterations(self, level: int, rows: Sequence[IterationRecord], transform: AbstractTransform) -> bool:
        """Move the bar; never stops the run."""
        del level, transform
        if rows and self._progress is not None:
            last = rows[-1]
            self._progress.update(self._task, completed=last.iteration + 1, metric=f"metric {last.metric:.6g}")
        return False

    def on_feature_map(self, name: str, features: Tensor, grid: Grid) -> None:
        """Do nothing."""
        del name, features, grid

    def on_level_end(self, record: LevelRecord, transform: AbstractTransform) -> None:
        """Replace the bar by a line."""
        del transform
        self.close()
        self._console.print(
            f"level {record.level + 1}/{self._levels}: metric {record.first_metric:.6g} -> "
            f"{record.final_metric:.6g} in {sum(record.seconds.values()):.1f} s",
            highlight=False,
        )

    def close(self) -> None:
        """Remove the bar, e.g. after an error; harmless without one."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _open(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[metric]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=1, metric="")
        self._progress.start()
