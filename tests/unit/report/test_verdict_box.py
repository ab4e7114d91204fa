"""The verdict, the stages and the folded structures, from records as runs write them."""

from typing import Any

import pytest

from elastix_impact.io.scale import MILLIMETRES, LengthUnit
from elastix_impact.report.stage_table import stage_table_of
from elastix_impact.report.structure_measure import MOST_UNFOLDED, SHOWN, structure_measure
from elastix_impact.report.verdict import verdict_of


def _check(word: str, value: float | None = 0.24, threshold: float | None = 0.01) -> dict[str, Any]:
    return {"check": "folded", "value": value, "threshold": threshold, "unit": "%", "word": word}


def _reason(word: str, **changes: Any) -> dict[str, Any]:
    return _check(word) | {"sentence": f"{word} it is.", "remedy": "Do better."} | changes


def test_a_record_without_a_verdict_has_none() -> None:
    assert verdict_of({}) is None


@pytest.mark.parametrize(("word", "symbol"), [("good", "✓"), ("look", "!"), ("bad", "✗")])
def test_a_verdict_has_a_word_and_a_symbol_of_its_own(word: str, symbol: str) -> None:
    found = verdict_of({"verdict": {"word": word, "reasons": [], "checks": [_check(word, None, None)]}})
    assert found is not None
    assert (found.word, found.symbol) == (word, symbol)
    assert found.checks.rows == (("folded", "–", "–", f"{symbol} {word}"),)


def test_reasons_have_their_numbers_and_the_bad_ones_come_first() -> None:
    reasons = [_reason("look", value=None), _reason("bad")]
    found = verdict_of({"verdict": {"word": "bad", "reasons": reasons, "checks": []}})
    assert found is not None
    assert [one.word for one in found.reasons] == ["bad", "look"]
    assert found.reasons[0].numbers == "measured 0.24 %, threshold 0.01 %"
    assert found.reasons[1].numbers == ""
    assert found.reasons[0].remedy == "Do better."


def _evaluation(error: float, dice: float) -> dict[str, Any]:
    return {
        "landmarks_mm": {"before": {"mean": 8.0}, "after": {"mean": error}},
        "labels": {"before": {"mean_dice": 0.5}, "after": {"mean_dice": dice}},
        "transform": {"share_folded": 0.0123},
        "intensity": {"after": {"normalized_mutual_information": 1.2, "ncc": None}},
    }


def _stage(name: str, evaluation: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"parameter_map": {"path": f"/maps/{name}"}, "evaluation": evaluation, **more}


def test_stages_are_a_table_and_one_that_was_taken_back_says_why() -> None:
    guard = {"kept": False, "before": {}, "after": {}, "sentence": "Worse."}
    stages = [_stage("a.txt", _evaluation(4, 0.7)), _stage("b.txt", _evaluation(6, 0.6), guard=guard)]
    found = stage_table_of({"stages": stages}, LengthUnit("px", 0.5))
    assert found is not None
    assert found.table.head == ("after stage", "TRE mean [px]", "Dice mean", "folded", "NMI (1 to 2)", "kept")
    assert found.table.rows == (
        ("before", "16.00", "0.500", "–", "–", ""),
        ("1: a.txt", "8.00", "0.700", "1.230%", "1.200", ""),
        ("2: b.txt", "12.00", "0.600", "1.230%", "1.200", "✗ taken back"),
    )
    assert found.sentences == ("Worse.",)


def test_runs_that_did_not_measure_their_stages_have_no_table() -> None:
    assert stage_table_of({"stages": [{"parameter_map": {"path": "a.txt"}}]}, MILLIMETRES) is None


def _labels(count: int) -> dict[str, Any]:
    scores = [{"label": k, "dice": k / 100, "hd95_mm": 2.0, "assd_mm": None} for k in range(count, 0, -1)]
    one = {
        "n": count,
        "only_in_one": [77, 78],
        "names": {"78": "spleen"},
        "mean_dice": 0.2,
        "mean_hd95_mm": 2.0,
        "mean_assd_mm": None,
    }
    return {when: one | {"labels": scores} for when in ("before", "after")}


def test_forty_structures_fold_away_the_worst_first() -> None:
    found = structure_measure(_labels(40), LengthUnit("px", 0.5))
    assert [row[0] for row in found.rows] == ["mean", *(f"label {k}" for k in range(1, SHOWN + 1))]
    assert [row[0] for row in found.more] == [f"label {k}" for k in range(SHOWN + 1, 41)]
    assert found.rows[1][1:] == ("0.010", "0.010", "4.00", "4.00", "–", "–")
    assert "Not in both images: label 77, spleen." in found.text
    assert "HD95 [px]" in found.chart


def test_few_structures_stay_in_sight() -> None:
    assert structure_measure(_labels(MOST_UNFOLDED), MILLIMETRES).more == ()
