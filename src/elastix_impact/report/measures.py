"""The measures of a run as tables and charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from .charts import error_histogram
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
    return tuple(found)


def measures_of(run: FinishedRun) -> tuple[Measure, ...]:
    """All measures that the run has."""
    found = []
    if run.record["landmarks_mm"]:
        found.append(_landmarks(run))
    return tuple(found)


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
