"""The measures of a registration as tables of plain text."""

from collections.abc import Mapping, Sequence

from elastix_impact.evaluation.deformation import DeformationSummary
from elastix_impact.evaluation.labels import LabelSummary
from elastix_impact.evaluation.landmarks import LandmarkSummary
from elastix_impact.evaluation.similarity import IntensitySummary
from elastix_impact.evaluation.summary import EvaluationSummary

MOST_LABELS = 20
"""Labels with a row of their own; the file of labels has all."""


def evaluation_text(summary: EvaluationSummary, *, every_label: bool = False) -> str:
    """All tables, a blank line between them, without the last line end."""
    tables = []
    if summary.landmarks is not None:
        tables.append(landmark_table(summary.landmarks.summaries()))
    if summary.labels:
        tables.append(label_table(summary.labels, every_label=every_label))
    if summary.intensity:
        tables.append(intensity_table(summary.intensity))
    if summary.deformation is not None:
        tables.append(deformation_lines(summary.deformation))
    if summary.consistency is not None:
        found = summary.consistency
        tables.append(
            f"inverse consistency ({found.against}) [mm]: mean {found.mean_mm:.3f}, 95% {found.p95_mm:.3f}, "
            f"max {found.maximum_mm:.3f}"
        )
    return "\n\n".join(tables)


def landmark_table(rows: Mapping[str, LandmarkSummary]) -> str:
    """TRE summaries as a table of plain text, without the last line end."""
    count = next(iter(rows.values())).n
    lines: list[tuple[str, ...]] = [("TRE [mm]", "mean", "SD", "median", "75%", "95%", "max", "< 2 mm")]
    for name, row in rows.items():
        numbers = (row.mean, row.sd, row.median, row.p75, row.p95, row.maximum)
        lines.append((name, *(f"{number:.2f}" for number in numbers), f"{row.share_under_2mm:.0%}"))
    return f"{table(lines)}\n{count} landmarks"


def label_table(labels: Mapping[str, LabelSummary], *, every_label: bool = False) -> str:
    """Means before and after, then the labels that overlap worst after it (or all)."""
    lines: list[tuple[str, ...]] = [("labels", "Dice", "HD95 mm", "ASSD mm")]
    for moment, one in labels.items():
        lines.append((moment, *_numbers(one.mean_dice, one.mean_hd95_mm, one.mean_assd_mm)))
    last = list(labels.values())[-1]
    names = last.names
    shown = last.scores if every_label else sorted(last.scores, key=lambda score: score.dice)[:MOST_LABELS]
    lines += [
        (f"  {_called(score.label, names)}", *_numbers(score.dice, score.hd95_mm, score.assd_mm))
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


def deformation_lines(found: DeformationSummary) -> str:
    """What the transform does to space."""
    determinant, displacement = found.determinant, found.displacement_mm
    spread = "-" if found.sdlogj is None else f"{found.sdlogj:.4f}"
    return (
        f"Jacobian determinant: min {determinant['min']:.3f}, 1% {determinant['p01']:.3f}, "
        f"median {determinant['p50']:.3f}, 99% {determinant['p99']:.3f}, max {determinant['max']:.3f}; "
        f"folded {found.share_folded:.3%}; SDlogJ {spread}\n"
        f"displacement [mm]: mean {displacement['mean']:.2f}, 95% {displacement['p95']:.2f}, "
        f"max {displacement['max']:.2f} ({found.voxels} voxels of the {found.within})"
    )


def _numbers(*values: float | None) -> tuple[str, ...]:
    return tuple("-" if value is None else f"{value:.3f}" for value in values)


def table(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells, the first cell of each on the left, all others on the right of their columns."""
    width = max(10, *(len(line[0]) + 1 for line in lines))
    return "\n".join(f"{first:<{width}}" + "".join(f"{cell:>9}" for cell in others) for first, *others in lines)
