"""Overlap and surface distances of every structure, before and after."""

from collections.abc import Mapping, Sequence
from typing import Any

from elastix_impact.io.scale import LengthUnit

from .charts import structure_bars
from .measure import TIMES, Measure, numbers
from .structures import structure_name

SHOWN, MOST_UNFOLDED = 8, 12
"""So many structures, the worst ones, stay in sight where there are more than `MOST_UNFOLDED`."""

_LENGTHS = ("hd95_mm", "assd_mm")

Scores = Mapping[str, Any]


def structure_measure(labels: Mapping[str, Mapping[str, Any]], unit: LengthUnit) -> Measure:
    """The measure from `labels` of `evaluation.json`, worst Dice first."""
    moments = [labels.get("initial", labels["before"]), list(labels.values())[-1]]
    before = {score["label"]: score for score in moments[0]["labels"]}
    worst = sorted(moments[1]["labels"], key=lambda score: score["dice"])
    rows = [_row(structure_name(score), before[score["label"]], score, unit) for score in worst]
    count = len(rows) if len(rows) <= MOST_UNFOLDED else SHOWN
    means = {"dice": "mean_dice", "hd95_mm": "mean_hd95_mm", "assd_mm": "mean_assd_mm"}
    mean = [{key: one[name] for key, name in means.items()} for one in moments]
    return Measure(
        "Structures",
        _text(labels, moments[1]),
        ("", "Dice before", "after", *_heads("HD95", unit), *_heads("ASSD", unit)),
        (_row("mean", mean[0], mean[1], unit), *rows[:count]),
        _chart(before, worst[:count], unit),
        more=tuple(rows[count:]),
    )


def _text(labels: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    start = TIMES["initial" if "initial" in labels else "before"]
    text = f"Overlap and surface distances of {last['n']} structures, {start} and after; the worst first."
    names = last.get("names", {})
    alone = [structure_name({"label": label, "name": names.get(str(label))}) for label in last["only_in_one"]]
    return f"{text} Not in both images: {', '.join(alone)}." if alone else text


def _heads(measure: str, unit: LengthUnit) -> tuple[str, str]:
    return f"{measure} before [{unit.name}]", "after"


def _row(name: str, before: Scores, after: Scores, unit: LengthUnit) -> tuple[str, ...]:
    lengths = [_length(one[key], unit) for key in _LENGTHS for one in (before, after)]
    return (name, *numbers(before["dice"], after["dice"]), *("–" if v is None else f"{v:.2f}" for v in lengths))


def _chart(before: Mapping[int, Scores], worst: Sequence[Scores], unit: LengthUnit) -> str:
    names = [structure_name(score) for score in worst]
    columns = {"Dice": ([before[one["label"]]["dice"] for one in worst], [one["dice"] for one in worst])}
    for title, key in zip(("HD95", "ASSD"), _LENGTHS):
        columns[f"{title} [{unit.name}]"] = (
            [_length(before[one["label"]][key], unit) for one in worst],
            [_length(one[key], unit) for one in worst],
        )
    return structure_bars(names, columns, "Dice, HD95 and ASSD of the structures before and after")


def _length(millimetres: float | None, unit: LengthUnit) -> float | None:
    return None if millimetres is None else unit.of(millimetres)
