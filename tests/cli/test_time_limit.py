"""`--time-limit`: what it understands, and what it leaves."""

import signal
from pathlib import Path

import pytest

from elastix_impact.cli.main import main
from elastix_impact.cli.time_limit import duration, time_limit
from elastix_impact.staging.staged import WORK_NAME


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an alarm signal")
def test_out_of_time_is_exit_code_3(data: Path, tmp_path: Path, capsys) -> None:
    text = (data / "ParameterMap.txt").read_text()
    words = ["run", "--data", str(data), "--out", str(tmp_path / "out"), "--threads", "1", "--quiet", "--device", "cpu"]
    assert main([*words, "--time-limit", "10m"]) == 0
    (data / "ParameterMap.txt").write_text(text.replace("Iterations 30", "Iterations 100000"))
    assert main([*words, "--time-limit", "2s"]) == 3
    assert "The time limit of 2 s was reached" in (tmp_path / "out" / WORK_NAME / "registration.json").read_text()
    assert "stopped: the time limit of 2 s was reached" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90),
        ("90s", 90),
        ("55m", 3300),
        ("1h30m", 5400),
        ("2d", 172800),
        ("01:30:00", 5400),
        ("1-00:00:10", 86410),
    ],
)
def test_durations_are_understood(text: str, expected: int) -> None:
    assert duration(text) == expected


@pytest.mark.parametrize("text", ["", "0", "-5", "1.5h", "soon", "m", "1h 30m"])
def test_what_is_no_duration_is_bad_input(text: str, data: Path, tmp_path: Path, capsys) -> None:
    words = ["run", "--data", str(data), "--out", str(tmp_path / "out"), f"--time-limit={text}"]
    assert main(words) == 2
    assert "needs a time above 0 such as 55m" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an alarm signal")
def test_an_alarm_that_was_set_before_still_rings() -> None:
    before = signal.getitimer(signal.ITIMER_REAL)[0]
    for limit in (None, 1000):
        with time_limit(limit):
            assert (signal.getitimer(signal.ITIMER_REAL)[0] > 950) is (limit is not None)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == pytest.approx(before, abs=5), "pytest's own"
