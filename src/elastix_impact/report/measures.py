"""The measures of a run as tables and charts."""

from collections.abc import Mapping, Sequence
from typing import Any

from elastix_impact.evaluation.landmarks import SMALL_ERROR
from elastix_impact.io.scale import LengthUnit

from .charts import error_histogram
from .finished_run import FinishedRun
from .measure import TIMES, Measure, numbers
from .structure_measure import structure_measure


def headline(run: FinishedRun) -> tuple[str, ...]:
    """The results in a few words."""
    found = []
    landmarks = run.record["landmarks_mm"]
    if "after" in landmarks:
        before = landmarks.get("initial", landmarks.get("before"))
        means = [f"{run.unit.of(one['mean']):.2f}" for one in (before, landmarks["after"])]
        found.append(f"landmark error {means[0]} → {means[1]} {run.unit.name} on average")
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
        found.append(structure_measure(run.evaluation["labels"], run.unit))
    if run.evaluation.get("transform"):
        found.append(_deformation(run.evaluation["transform"], run.unit))
    if run.evaluation.get("intensity"):
        found.append(_intensity(run.evaluation["intensity"]))
    return tuple(found)


def _deformation(found: Mapping[str, Any], unit: LengthUnit) -> Measure:
    determinant = found["jacobian_determinant"]
    moved = {name: f"{unit.of(length):.2f} {unit.name}" for name, length in found["displacement_mm"].items()}
    step = found["every_nth_voxel"]
    every = "" if step == 1 else f", one in {step} along each axis"
    spread = "–" if found["sdlogj"] is None else f"{found['sdlogj']:.3f}"
    return Measure(
        "Transform",
        f"At {found['voxels']} voxels of the {found['within']}{every}. Points move by {moved['mean']} on "
        f"average, 95 % of them by less than {moved['p95']}, all by less than {moved['max']}. A Jacobian "
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
            (TIMES[when], *numbers(*(one[key] for key in keys)), f"{one['overlap']:.0%}")
            for when, one in intensity.items()
        ),
    )


def _landmarks(run: FinishedRun) -> Measure:
    summaries: Mapping[str, Mapping[str, Any]] = run.record["landmarks_mm"]
    count = next(iter(summaries.values()))["n"]
    unit = run.unit
    rows = tuple((TIMES[when], *_errors(summary, unit)) for when, summary in summaries.items())
    before, after = ([unit.of(error) for error in each] for each in _landmark_errors(run))
    return Measure(
        "Landmarks",
        f"Target registration error of {count} landmarks in {unit.name} (Fitzpatrick & West 2001).",
        ("", "mean", "SD", "median", "75 %", "95 %", "max", f"under {unit.of(SMALL_ERROR):.2g} {unit.name}"),
        rows,
        error_histogram(before, after, unit.name, "Histogram of the landmark errors before and after") if after else "",
    )


def _landmark_errors(run: FinishedRun) -> tuple[list[float], list[float]]:
    return [row.before for row in run.landmarks], [row.after for row in run.landmarks]


def _errors(summary: Mapping[str, Any], unit: LengthUnit) -> Sequence[str]:
    lengths = [unit.of(summary[key]) for key in ("mean", "sd", "median", "p75", "p95", "maximum")]
    return (*(f"{length:.2f}" for length in lengths), f"{summary['share_under_2mm']:.0%}")
