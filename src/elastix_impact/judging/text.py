"""The measures of a registration as tables of plain text."""

from collections.abc import Mapping, Sequence

from elastix_impact.evaluation.deformation import DeformationSummary
from elastix_impact.evaluation.labels import LabelSummary
from elastix_impact.evaluation.landmarks import SMALL_ERROR, LandmarkSummary
from elastix_impact.evaluation.similarity import IntensitySummary
from elastix_impact.evaluation.summary import EvaluationSummary
from elastix_impact.io.scale import MILLIMETRES, LengthUnit

MOST_LABELS = 20
"""Labels with a row of their own; the file of labels has all."""


def evaluation_text(summary: EvaluationSummary, *, every_label: bool = False) -> str:
    """All tables, a blank line between them, without the last line end."""
    tables, unit = [], summary.unit
    if summary.landmarks is not None:
        tables.append(landmark_table(summary.landmarks.summaries(), unit))
    if summary.labels:
        tables.append(label_table(summary.labels, unit, every_label=every_label))
    if summary.labels_problem:
        tables.append(f"labels: {summary.labels_problem}")
    if summary.intensity:
        tables.append(intensity_table(summary.intensity))
    if summary.deformation is not None:
        tables.append(deformation_lines(summary.deformation, unit))
    if summary.consistency is not None:
        found = summary.consistency
        tables.append(
            f"inverse consistency ({found.against}) [{unit.name}]: mean {unit.of(found.mean_mm):.3f}, "
            f"95% {unit.of(found.p95_mm):.3f}, max {unit.of(found.maximum_mm):.3f}"
        )
    return "\n\n".join(tables)


def landmark_table(rows: Mapping[str, LandmarkSummary], unit: LengthUnit = MILLIMETRES) -> str:
    """TRE summaries as a table of plain text, lengths in `unit`, without the last line end."""
    count = next(iter(rows.values())).n
    small = f"< {unit.of(SMALL_ERROR):.2g} {unit.name}"
    lines: list[tuple[str, ...]] = [(f"TRE [{unit.name}]", "mean", "SD", "median", "75%", "95%", "max", small)]
    for name, row in rows.items():
        numbers = (row.mean, row.sd, row.median, row.p75, row.p95, row.maximum)
        lines.append((name, *(f"{unit.of(number):.2f}" for number in numbers), f"{row.share_under_2mm:.0%}"))
    return f"{table(lines)}\n{count} landmarks"


def label_table(
    labels: Mapping[str, LabelSummary], unit: LengthUnit = MILLIMETRES, *, every_label: bool = False
) -> str:
    """Means before and after, then the labels that overlap worst after it (or all), lengths in `unit`."""
    lines: list[tuple[str, ...]] = [("labels", "Dice", f"HD95 {unit.name}", f"ASSD {unit.name}")]
    for moment, one in labels.items():
        lines.append((moment, *_scores(unit, one.mean_dice, one.mean_hd95_mm, one.mean_assd_mm)))
    last = list(labels.values())[-1]
    names = last.names
    shown = last.scores if every_label else sorted(last.scores, key=lambda score: score.dice)[:MOST_LABELS]
    lines += [
        (f"  {_called(score.label, names)}", *_scores(unit, score.dice, score.hd95_mm, score.assd_mm))
        for score in sorted(shown, key=lambda score: score.label)
    ]
    hidden = len(last.scores) - len(shown)
    more = f"; the {len(shown)} that overlap worst are shown" if hidden else ""
    absent = (
        f"; not in both images: {', '.join(_called(one, names) for one in last.only_in_one)}"
        if last.only_in_one
        else ""
    )
    return f"{table(lines)}\n{len(last.scores)} labels{more}{absent}"


def _called(label: int, names: Mapping[int, str]) -> str:
    """A label with its name, if it has one."""
    return f"{label} {names[label]}" if label in names else str(label)


def intensity_table(intensity: Mapping[str, IntensitySummary]) -> str:
    """Correlation and mutual information."""
    lines: list[tuple[str, ...]] = [("intensity", "NCC", "MI nats", "NMI", "overlap")]
    for moment, one in intensity.items():
        numbers = _numbers(one.ncc, one.mutual_information, one.normalized_mutual_information)
        lines.append((moment, *numbers, f"{one.overlap:.0%}"))
    return table(lines)


def deformation_lines(found: DeformationSummary, unit: LengthUnit = MILLIMETRES) -> str:
    """What the transform does to space, lengths in `unit`."""
    determinant = found.determinant
    moved = {name: unit.of(length) for name, length in found.displacement_mm.items()}
    spread = "-" if found.sdlogj is None else f"{found.sdlogj:.4f}"
    return (
        f"Jacobian determinant: min {determinant['min']:.3f}, 1% {determinant['p01']:.3f}, "
        f"median {determinant['p50']:.3f}, 99% {determinant['p99']:.3f}, max {determinant['max']:.3f}; "
        f"folded {found.share_folded:.3%}; SDlogJ {spread}\n"
        f"displacement [{unit.name}]: mean {moved['mean']:.2f}, 95% {moved['p95']:.2f}, "
        f"max {moved['max']:.2f} ({found.voxels} voxels of the {found.within})"
    )


def _scores(unit: LengthUnit, dice: float, *lengths_mm: float | None) -> tuple[str, ...]:
    return _numbers(dice, *(None if length is None else unit.of(length) for length in lengths_mm))


def _numbers(*values: float | None) -> tuple[str, ...]:
    return tuple("-" if value is None else f"{value:.3f}" for value in values)


def table(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells, the first cell of each on the left, all others on the right of their columns."""
    width = max(10, *(len(line[0]) + 1 for line in lines))
    return "\n".join(f"{first:<{width}}" + "".join(f"{cell:>9}" for cell in others) for first, *others in lines)
