"""Progress: plain lines on a file, a bar on a terminal, nothing when quiet."""

import io

import torch

from elastix_impact.observers.progress import BarProgress, LineProgress, showing_progress
from elastix_impact.registration.result import IterationRecord
from elastix_impact.transforms.translation import TranslationTransform

TRANSFORM = TranslationTransform(torch.zeros(3, dtype=torch.float64))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def row(iteration: int) -> IterationRecord:
    return IterationRecord(iteration, 1 / (iteration + 1), 0.0, 0.1, 1.0, 2.0, 1.0)


def test_lines_come_at_levels_and_every_ten_seconds(mind_plan, finished_level) -> None:
    stream, now = io.StringIO(), [0.0]
    observer = LineProgress(stream, clock=lambda: now[0])
    observer.on_start(mind_plan, "cpu")
    observer.on_phase(0, "features")
    observer.on_level_start(0, 100, TRANSFORM, {})
    for iteration in range(50):
        now[0] += 0.5
        assert observer.on_iterations(0, [row(iteration)], TRANSFORM) is False
    observer.on_level_end(finished_level, TRANSFORM)
    lines = stream.getvalue().splitlines()
    assert lines[0].endswith("on cpu")
    assert lines[1] == "level 1/2: 100 iterations, 3 parameters"
    assert lines[2] == "level 1/2: iteration 20/100, metric 0.05, about 40 s left in this level"
    assert lines[3].startswith("level 1/2: iteration 40/100")
    assert lines[4].startswith("level 1/2: metric 1 -> 0.5 in")
    assert len(lines) == 5


def test_the_stream_decides_and_quiet_wins() -> None:
    with showing_progress(io.StringIO(), "auto") as observers:
        assert [type(one) for one in observers] == [LineProgress]
    with showing_progress(Terminal(), "auto") as observers:
        assert [type(one) for one in observers] == [BarProgress]
    with showing_progress(Terminal(), "none") as observers:
        assert observers == ()


def test_the_bar_shows_phase_iterations_and_metric_and_leaves_a_line(mind_plan, finished_level) -> None:
    stream = Terminal()
    with showing_progress(stream, "auto") as (bar,):
        bar.on_start(mind_plan, "cpu")
        bar.on_phase(0, "features")
        bar.on_level_start(0, 40, TRANSFORM, {})
        assert bar.on_iterations(0, [row(9)], TRANSFORM) is False
        bar.on_level_end(finished_level, TRANSFORM)
    text = stream.getvalue()
    assert "level 1/2: registering" in text
    assert "10/40" in text
    assert "metric 0.1" in text
    assert "level 1/2: metric 1 -> 0.5" in text


def test_the_bar_is_closed_when_the_run_is_interrupted(mind_plan) -> None:
    stream = Terminal()
    try:
        with showing_progress(stream, "auto") as (bar,):
            bar.on_start(mind_plan, "cpu")
            bar.on_phase(0, "features")
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert stream.getvalue().endswith("\x1b[?25h") or "\x1b[?25h" in stream.getvalue()
