"""elastix.log: the lines that other programs look for, levels, and echo."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from elastix_impact.errors import OutputError
from elastix_impact.observers.log import LogObserver, RunLog
from elastix_impact.observers.log_text import duration
from elastix_impact.parameters.plan import RegistrationPlan
from elastix_impact.registration.result import IterationRecord, LevelRecord
from elastix_impact.transforms.translation import TranslationTransform

TRANSFORM = TranslationTransform(torch.zeros(3, dtype=torch.float64))


def write_stage(log: RunLog, plan: RegistrationPlan, level_record: LevelRecord) -> None:
    observer = LogObserver(log)
    observer.on_start(plan, "cpu")
    for level in range(len(plan.levels)):
        observer.on_phase(level, "pyramid")
        observer.on_level_start(level, 2, TRANSFORM, {"Samples": "2000"})
        rows = [IterationRecord(k, 1.0 - 0.5 * k, float(k), 0.2, 3.0, 1.26, 1.0) for k in range(2)]
        assert observer.on_iterations(level, rows, TRANSFORM) is False
        observer.on_level_end(replace(level_record, level=level), TRANSFORM)
    observer.write_summary([replace(level_record, level=level) for level in range(len(plan.levels))])


def test_a_stage_is_written_in_elastix_words(
    tmp_path: Path, mind_plan: RegistrationPlan, finished_level: LevelRecord
) -> None:
    log = RunLog(tmp_path / "elastix.log")
    write_stage(log, mind_plan, finished_level)
    log.close()
    text = (tmp_path / "elastix.log").read_text()
    for line in (
        "\nResolution: 0\n", "\nResolution: 1\n",
        "1:ItNr\t2:Metric\t3a:Time\t3b:StepSize\t4:||Gradient||\tTime[ms]\n0\t1.000000\t0.000000\t0.200000\t3.000000\t1.3\n",
        "Time spent in resolution 0 (ITK initialization and iterating): 1.5\n",
        "Stopping condition: Maximum number of iterations has been reached.\n",
        "Settings of AdaptiveStochasticGradientDescent in resolution 1:\n( SP_a 4.434571 )\n( SP_A 20.000000 )\n",
        "Settings of AdaptiveStochasticGradientDescent for all resolutions:\n( SP_a 4.434571 4.434571 )\n",
        "Final metric value  = 0.5\n",
        "Estimates: use_constant_step False, noise_factor 0.5\n",
        "Raw metric layer 0: 12 -> 6\n", "75.0% of them valid", "Samples: 2000",
    ):  # fmt: skip
        assert line in text


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("info", "a\nWARNING: b\nERROR: c\n"),
        ("warning", "WARNING: b\nERROR: c\n"),
        ("error", "ERROR: c\n"),
        ("off", ""),
    ],
)
def test_levels_and_echo(level: str, expected: str, tmp_path: Path) -> None:
    echo = io.StringIO()
    log = RunLog(tmp_path / "elastix.log", level=level, echo=echo)
    log.info("a")
    log.warning("b")
    log.error("c")
    assert (tmp_path / "elastix.log").read_text() == expected  # flushed before it is closed
    log.close()
    assert echo.getvalue() == expected


def test_a_log_that_can_not_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"elastix\.log: can't be written"):
        RunLog(tmp_path / "absent" / "elastix.log")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0s"), (59.0, "59.0s"), (65.25, "1m5.2s"), (3600, "1h0.0s"), (90061, "1d1h1m1.0s")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
