"""The measures of a run stage by stage: one row for nothing done, one for each stage."""

from collections.abc import Mapping

from elastix_impact.evaluation.summary import EvaluationSummary

from .text import table

_NOTHING = "-"


def stage_table(rows: Mapping[str, EvaluationSummary]) -> str:
    """What each stage reached, as a table of plain text without the last line end.

    Parameters
    ----------
    rows
        What was measured after each stage, by the name of the stage, in order; at least one.
    """
    first = next(iter(rows.values()))
    moments = [one for one in ("before", "initial") if one in {**_means(first), **first.intensity, **first.labels}]
    lines = [(moment, _cells(first, moment)) for moment in moments]
    lines += [(name, _cells(summary, "after")) for name, summary in rows.items()]
    shown = [title for title in _cells(first, "after") if any(cells[title] != _NOTHING for _, cells in lines)]
    return table([("stage", *shown), *((name, *(cells[title] for title in shown)) for name, cells in lines)])


def _means(summary: EvaluationSummary) -> dict[str, float]:
    """Mean target registration error in mm by moment."""
    landmarks = {} if summary.landmarks is None else summary.landmarks.errors
    return {moment: float(errors.double().mean()) for moment, errors in landmarks.items()}


def _cells(summary: EvaluationSummary, moment: str) -> dict[str, str]:
    """The row of one moment, by the title of the column."""
    labels, intensity = summary.labels.get(moment), summary.intensity.get(moment)
    deformation = summary.deformation if moment == "after" else None
    error, distance, unit = _means(summary).get(moment), labels and labels.mean_hd95_mm, summary.unit
    numbers: dict[str, tuple[float | None, str]] = {
        f"TRE {unit.name}": (None if error is None else unit.of(error), ".2f"),
        "Dice": (None if labels is None else labels.mean_dice, ".3f"),
        f"HD95 {unit.name}": (None if distance is None else unit.of(distance), ".2f"),
        "NCC": (None if intensity is None else intensity.ncc, ".3f"),
        "NMI": (None if intensity is None else intensity.normalized_mutual_information, ".3f"),
        "folded": (None if deformation is None else deformation.share_folded, ".3%"),
        "det min": (None if deformation is None else deformation.determinant["min"], ".3f"),
    }
    return {title: _NOTHING if number is None else f"{number:{form}}" for title, (number, form) in numbers.items()}
