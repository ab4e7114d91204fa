"""The table of the verdict, its words and its JSON; docs/verdict.md shows the table as it is."""

import json
import math
from pathlib import Path

import pytest

from elastix_impact.judging.verdict import failed_verdict, reach_verdict
from elastix_impact.judging.verdict_table import CHECKS, Check

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "verdict.md"


def _beyond(check: Check, threshold: float) -> float:
    return threshold + (1e-6 if check.worse == "above" else -1e-6)


@pytest.mark.parametrize("check", CHECKS, ids=[check.name for check in CHECKS])
def test_thresholds_are_ordered_and_words_follow_them(check: Check) -> None:
    if check.look is not None:
        assert check.word(check.look) == "good"
        assert check.word(_beyond(check, check.look)) == "look"
    if check.bad is not None:
        assert check.word(_beyond(check, check.bad)) == "bad"
    if check.look is not None and check.bad is not None:
        assert (check.look < check.bad) == (check.worse == "above")
    assert check.word(math.nan) == "bad"


def test_names_are_unique() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_nothing_against_it_is_good() -> None:
    verdict = reach_verdict({"folded": 0.0, "nmi_lead": 0.2})
    assert verdict.word == "good"
    assert verdict.reasons == ()
    assert [result.check for result in verdict.checks] == ["folded", "nmi_lead"]
    assert verdict.lines() == ["verdict: good - 2 checks, nothing speaks against the result"]


def test_the_worst_word_counts_and_comes_first() -> None:
    verdict = reach_verdict({"folded": 0.3, "volume_scale": 3.7, "nmi_lead": 0.2})
    assert verdict.word == "bad"
    assert [(reason.check, reason.word) for reason in verdict.reasons] == [("volume_scale", "bad"), ("folded", "look")]
    first, second = verdict.lines()
    assert first.startswith("verdict: bad - the image as a whole is scaled in volume by a factor of 3.70 (at most 2.00")
    assert second.startswith("  also: 0.30 % of the volume is folded (at most 0.10 %). Add a bending energy")


def test_json_has_the_form_that_others_read() -> None:
    verdict = json.loads(json.dumps(reach_verdict({"folded": 9.1, "overlap": 80.0}).to_json()))
    assert verdict["word"] == "bad"
    (reason,) = verdict["reasons"]
    assert set(reason) == {"check", "word", "value", "threshold", "unit", "sentence", "remedy"}
    assert (reason["check"], reason["value"], reason["threshold"], reason["unit"]) == ("folded", 9.1, 0.5, "%")
    assert verdict["checks"] == [
        {"check": "folded", "value": 9.1, "threshold": 0.5, "unit": "%", "word": "bad"},
        {"check": "overlap", "value": 80.0, "threshold": 15.0, "unit": "%", "word": "good"},
    ]


def test_a_failed_registration_is_bad() -> None:
    verdict = failed_verdict("Too many samples map outside. Check that the images overlap")
    assert verdict.word == "bad"
    assert verdict.lines() == [
        "verdict: bad - the registration failed: Too many samples map outside. Check that the images overlap."
    ]


def test_the_document_shows_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for check in CHECKS:
        look, bad = ("-" if value is None else f"{value:g}" for value in (check.look, check.bad))
        row = f"| `{check.name}` | {check.unit or '-'} | {check.worse} | {look} | {bad} |"
        assert row in text, f"docs/verdict.md lacks the row {row}"
