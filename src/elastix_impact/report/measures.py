"""The measures of a run as tables and charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from .charts import MOST_LABELS, error_histogram, overlap_bars
from .finished_run import FinishedRun

_TIMES = {"before": "before (nothing done)", "initial": "before (initial transform)", "after": "after"}


@final
@dataclass(frozen=True)
class Measure:
    """One kind of measure: a table, what it means, and a chart (SVG, or empty)."""

    title: str
    text: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    chart: str = ""


def headline(run: FinishedRun) -> tuple[str, ...]:
    """The results in a few words."""
    found = []
    landmarks = run.record["landmarks_mm"]
    if "after" in landmarks:
        before = landmarks.get("initial", landmarks.get("before"))
        found.append(f"landmark error {before['mean']:.2f} → {landmarks['after']['mean']:.2f} mm on average")
    labels = run.evaluation.get("labels", {})
    if "after" in labels:
        before = labels.get("initial", labels["before"])
        found.append(f"mean Dice {before['mean_dice']:.2f} → {labels['after']['mean_dice']:.2f}")
    return tuple(found)


def measures_of(run: FinishedRun) -> tuple[Measure, ...]:
    """All measures that the run has."""
    found = []
    if run.record["landmarks_mm"]:
        found.append(_landmarks(run))
    if run.evaluation.get("labels"):
        found.append(_labels(run.evaluation["labels"]))
    if run.evaluation.get("transform"):
        found.append(_deformation(run.evaluation["transform"]))
    if run.evaluation.get("intensity"):
        found.append(_intensity(run.evaluation["intensity"]))
    return tuple(found)


def _labels(labels: Mapping[str, Mapping[str, Any]]) -> Measure:
    last = list(labels.values())[-1]
    rows = [
        (_TIMES[when], *_numbers(one["mean_dice"], one["mean_hd95_mm"], one["mean_assd_mm"]))
        for when, one in labels.items()
    ]
    worst = sorted(last["labels"], key=lambda score: score["dice"])[:MOST_LABELS]
    rows += [
        (f"label {score['label']}", *_numbers(score["dice"], score["hd95_mm"], score["assd_mm"]))
        for score in sorted(worst, key=lambda score: score["label"])
    ]
    hidden = last["n"] - len(worst)
    text = f"Overlap and surface distances of {last['n']} labelled structures; means first."
    if hidden:
        text += f" Of single labels the {len(worst)} that overlap worst are shown, labels.csv has all."
    bars = [{f"label {score['label']}": score["dice"] for score in one["labels"]} for one in (labels["before"], last)]
    return Measure(
        "Structures",
        text,
        ("", "Dice", "HD95 [mm]", "ASSD [mm]"),
        tuple(rows),
        overlap_bars(bars[0], bars[1], "Dice of every label before and after"),
    )


def _deformation(found: Mapping[str, Any]) -> Measure:
    determinant, moved = found["jacobian_determinant"], found["displacement_mm"]
    step = found["every_nth_voxel"]
    every = "" if step == 1 else f", one in {step} along each axis"
    spread = "–" if found["sdlogj"] is None else f"{found['sdlogj']:.3f}"
    return Measure(
        "Transform",
        f"At {found['voxels']} voxels of the {found['within']}{every}. Points move by {moved['mean']:.2f} mm on "
        f"average, 95 % of them by less than {moved['p95']:.2f} mm, all by less than {moved['max']:.2f} mm. A Jacobian "
        "determinant of 1 keeps the volume; where it is not positive, space is folded. SDlogJ is the standard "
        "deviation of its logarithm.",
        ("", "min", "1 %", "median", "99 %", "max", "folded", "SDlogJ"),
        (
            (
                "Jacobian determinant",
                *(f"{determinant[key]:.3f}" for key in ("min", "p01", "p50", "p99", "max")),
                f"{found['share_folded']:.3%}",
                spread,
            ),
        ),
    )


def _intensity(intensity: Mapping[str, Mapping[str, Any]]) -> Measure:
    keys = ("ncc", "mutual_information", "normalized_mutual_information")
    return Measure(
        "Intensities",
        "Correlation (−1 to 1) and mutual information of the two images where they overlap.",
        ("", "NCC", "MI [nats]", "NMI (1 to 2)", "overlap"),
        tuple(
            (_TIMES[when], *_numbers(*(one[key] for key in keys)), f"{one['overlap']:.0%}")
            for when, one in intensity.items()
        ),
    )


def _numbers(*values: float | None) -> tuple[str, ...]:
    return tuple("–" if value is None else f"{value:.3f}" for value in values)


def _landmarks(run: FinishedRun) -> Measure:
    summaries: Mapping[str, Mapping[str, Any]] = run.record["landmarks_mm"]
    count = next(iter(summaries.values()))["n"]
    rows = tuple((_TIMES[when], *_errors(summary)) for when, summary in summaries.items())
    before, after = [row.before for row in run.landmarks], [row.after for row in run.landmarks]
    return Measure(
        "Landmarks",
        f"Target registration error of {count} landmarks in mm (Fitzpatrick & West 2001).",
        ("", "mean", "SD", "median", "75 %", "95 %", "max", "under 2 mm"),
        rows,
        error_histogram(before, after, "Histogram of the landmark errors before and after") if after else "",
    )


def _errors(summary: Mapping[str, Any]) -> Sequence[str]:
    numbers = [summary[key] for key in ("mean", "sd", "median", "p75", "p95", "maximum")]
    return (*(f"{number:.2f}" for number in numbers), f"{summary['share_under_2mm']:.0%}")
