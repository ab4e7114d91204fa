"""The words and numbers of a report, ready to be set: headings, tables, charts, pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from elastix_impact.io.scale import length_unit

from .charts import convergence_chart
from .finished_run import FinishedRun
from .measures import Measure, headline, measures_of
from .pictures import pictures_of
from .references import references_of
from .shown import Pictures
from .stage_table import StageTable, stage_table_of
from .table import Table
from .verdict import Verdict, verdict_of

_STEP_COLUMNS = ("3b:StepSize", "3:StepSize", "3:StepLength")
_STATUS = {
    "complete": "complete",
    "failed": "the registration failed",
    "interrupted": "interrupted: the files are not complete",
    "running": "not finished: still running, or killed",
    "error": "stopped by an error",
}


@final
@dataclass(frozen=True)
class StageView:
    """One parameter map: what it was, how it went, and every value that it used."""

    title: str
    text: str
    chart: str
    levels: Table
    parameters: Table


@final
@dataclass(frozen=True)
class Page:
    """Everything on the page, from top to bottom."""

    title: str
    status: str
    is_complete: bool
    message: str
    verdict: Verdict | None
    headline: tuple[str, ...]
    pictures: tuple[Pictures, ...]
    measures: tuple[Measure, ...]
    by_stage: StageTable | None
    inputs: Table
    stages: tuple[StageView, ...]
    warnings: tuple[str, ...]
    facts: Table
    references: tuple[str, ...]


def page_of(run: FinishedRun) -> Page:
    """The page of a run."""
    record = run.record
    inputs = record["inputs"]
    names = [Path(inputs[role]["path"]).name for role in ("fixed", "moving") if role in inputs]
    return Page(
        title=" and ".join(names) or run.folder.name,
        status=_STATUS[record["status"]],
        is_complete=record["status"] == "complete",
        message=record["message"],
        verdict=verdict_of(record),
        headline=headline(run),
        pictures=pictures_of(run),
        measures=measures_of(run),
        by_stage=stage_table_of(record, run.unit),
        inputs=_inputs(inputs),
        stages=tuple(_stage(run, number, stage) for number, stage in enumerate(record["stages"])),
        warnings=(*record["warnings"], *run.missing),
        facts=_facts(run),
        references=references_of(record),
    )


def _inputs(inputs: Mapping[str, Any]) -> Table:
    rows = []
    for role, facts in inputs.items():
        if not isinstance(facts, Mapping) or "size" not in facts:
            continue
        size = " x ".join(str(n) for n in facts["size"])
        spacing, extent = _lengths(facts)
        rows.append((role.replace("_", " "), Path(facts["path"]).name, size, spacing, extent, facts["pixel_type"]))
    return Table(("", "file", "voxels", "spacing [mm]", "extent [mm]", "type"), tuple(rows))


def _lengths(facts: Mapping[str, Any]) -> tuple[str, str]:
    """Spacing and extent in mm, or that there is no real scale."""
    size, spacing = facts["size"], facts["spacing"]
    if length_unit(facts["path"], spacing).name == "px":
        return f"no real scale (counted as {spacing[0]:.3g})", "–"
    return " x ".join(f"{s:.4g}" for s in spacing), " x ".join(f"{n * s:.0f}" for n, s in zip(size, spacing))


def _stage(run: FinishedRun, number: int, stage: Mapping[str, Any]) -> StageView:
    name = Path(stage["parameter_map"]["path"]).name
    tables = [table for table in run.tables if table.stage == number]
    chart = convergence_chart(tables, _STEP_COLUMNS, f"Convergence of {name}, per level") if tables else ""
    seconds = stage["seconds"].get("total", 0.0)
    text = f"Run by {'elastix-impact' if stage['engine'] == 'native' else stage['engine']}" + (
        f" on {stage['device']}" if "device" in stage else ""
    )
    return StageView(
        title=name,
        text=f"{text} in {seconds:.1f} s. {stage.get('stop_sentence', '')}".strip(),
        chart=chart,
        levels=_levels(stage.get("levels", [])),
        parameters=_parameters(stage.get("parameters", [])),
    )


def _levels(levels: Sequence[Mapping[str, Any]]) -> Table:
    head = ("level", "iterations", "metric first", "last", "samples", "of them valid", "ms per iteration", "seconds")
    rows = tuple(
        (
            str(level["level"] + 1),
            str(level["iterations"]),
            _number(level["first_metric"]),
            _number(level["final_metric"]),
            str(level["samples"]),
            f"{level['valid_fraction']:.0%}" if level["valid_fraction"] is not None else "-",
            f"{level['median_milliseconds']:.1f}" if level["median_milliseconds"] is not None else "-",
            ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in level["seconds"].items()),
        )
        for level in levels
    )
    return Table(head, rows)


def _parameters(values: Sequence[Mapping[str, Any]]) -> Table:
    """Every value used; those that the map does not set are faint."""
    rows = tuple(
        (one["name"], " ".join(one["values"] if len(set(one["values"])) > 1 else one["values"][:1]), one["origin"])
        for one in values
    )
    short = tuple((name, text, "default" if origin == "default" else _line(origin)) for name, text, origin in rows)
    return Table(
        ("parameter", "value", "from"), short, frozenset(k for k, row in enumerate(rows) if row[2] == "default")
    )


def _line(origin: str) -> str:
    """``line 12`` of ``/a/map.txt:12``."""
    _, _, line = origin.rpartition(":")
    return f"line {line}" if line.isdigit() else origin


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"


def _facts(run: FinishedRun) -> Table:
    record = run.record
    machine = record["machine"]
    rows = [
        ("started", record["started"]),
        ("finished", record["finished"] or "-"),
        ("time", f"{record['seconds'].get('total', 0.0):.1f} s"),
        ("folder", str(run.folder)),
        ("command line", " ".join(record["command_line"])),
        ("random seed", ", ".join(str(stage.get("random_seed", "-")) for stage in record["stages"])),
        ("device", ", ".join(stage.get("device", "cpu") for stage in record["stages"])),
        ("machine", f"{machine['platform']}, {machine['threads']} of {machine['processors']} threads"),
        ("versions", ", ".join(f"{name} {version}" for name, version in record["versions"].items())),
    ]
    return Table(("", ""), tuple(rows))
