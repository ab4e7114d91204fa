"""What every stage of a run did to the measures: one row a stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from elastix_impact.io.scale import LengthUnit

from .table import Table


@final
@dataclass(frozen=True)
class StageTable:
    """The measures after each stage, and sentences about the stages that were not kept."""

    table: Table
    sentences: tuple[str, ...]


def stage_table_of(record: Mapping[str, Any], unit: LengthUnit) -> StageTable | None:
    """The measures stage by stage; None if the run did not take them."""
    measured = [(number, one) for number, one in enumerate(record["stages"], start=1) if one.get("evaluation")]
    if not measured:
        return None
    rows = [("before", *_measures(measured[0][1]["evaluation"], "before", unit), "")]
    for number, stage in measured:
        title = f"{number}: {Path(stage['parameter_map']['path']).name}"
        rows.append((title, *_measures(stage["evaluation"], "after", unit), _kept(stage)))
    head = ("after stage", f"TRE mean [{unit.name}]", "Dice mean", "folded", "NMI (1 to 2)", "NCC", "kept")
    used = [column for column in range(len(head)) if column == 0 or any(row[column] not in ("", "–") for row in rows)]
    table = Table(tuple(head[k] for k in used), tuple(tuple(row[k] for k in used) for row in rows))
    guards = [stage["guard"] for _, stage in measured if stage.get("guard")]
    return StageTable(table, tuple(guard["sentence"] for guard in guards if not guard["kept"]))


def _kept(stage: Mapping[str, Any]) -> str:
    guard = stage.get("guard")
    return "" if not guard else "✓ kept" if guard["kept"] else "✗ taken back"


def _measures(evaluation: Mapping[str, Any], moment: str, unit: LengthUnit) -> tuple[str, ...]:
    landmarks = evaluation["landmarks_mm"].get(moment, {})
    labels = evaluation["labels"].get(moment, {})
    intensity = evaluation["intensity"].get(moment, {})
    transform = (evaluation["transform"] or {}) if moment == "after" else {}
    error = landmarks.get("mean")
    folded = transform.get("share_folded")
    return (
        "–" if error is None else f"{unit.of(error):.2f}",
        _three(labels.get("mean_dice")),
        "–" if folded is None else f"{folded:.3%}",
        _three(intensity.get("normalized_mutual_information")),
        _three(intensity.get("ncc")),
    )


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
