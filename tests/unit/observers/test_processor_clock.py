"""The part of its time that a process waits for a processor."""

from pathlib import Path

import pytest

from elastix_impact.observers.processor_clock import ProcessorClock


@pytest.mark.parametrize(
    ("later", "waited", "busy"),
    [
        ("1000000000 300000000 9\n", 0.0, False),
        ("1900000000 400000000 9\n", 0.1, False),
        ("1500000000 800000000 9\n", 0.5, True),
        ("", None, False),
    ],
)
def test_waiting_since_it_was_made(tmp_path: Path, later: str, waited: float | None, busy: bool) -> None:
    scheduler = tmp_path / "schedstat"
    scheduler.write_text("1000000000 300000000 5\n")
    clock = ProcessorClock(scheduler)
    scheduler.write_text(later)
    assert clock.waited() == waited
    sentence = "The machine was busy: 50% of the time was spent waiting for a processor."
    assert clock.remark() == (sentence if busy else "")


def test_systems_that_do_not_tell(tmp_path: Path) -> None:
    clock = ProcessorClock(tmp_path / "nothing")
    assert clock.waited() is None
    assert clock.remark() == ""
