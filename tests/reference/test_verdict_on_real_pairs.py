"""The verdict on real pairs that are right, and on some that are ruined on purpose; it sees no landmarks or labels."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.verdict_trials import TRIALS
from benchmarks.verdicts import run, truth_of, word_of

pytestmark = [pytest.mark.shared, pytest.mark.slow, pytest.mark.usefixtures("shared")]

WORDS = {
    "hippo-001-004 rigid+affine": ("right", {"good", "look"}),
    "cord rigid": ("right", {"good", "look"}),
    "cord spline MaximumStepLength=6": ("ruined", {"bad"}),
    "cord rigid+spline noise": ("ruined", {"bad"}),
    "hippo-001-004 rigid+affine+mind flip": ("ruined", {"bad"}),
}


@pytest.mark.parametrize("name", WORDS)
def test_truth_and_verdict_agree(name: str, tmp_path: Path) -> None:
    (trial,) = [one for one in TRIALS if one.name == name]
    row = run(trial, tmp_path)
    truth, words = WORDS[name]
    assert truth_of(trial, row) == truth
    assert word_of(row) in words
