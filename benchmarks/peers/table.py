"""The results as Markdown: one row per pair and engine."""

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev


@dataclass(frozen=True)
class Result:
    """One run: what it reached in `unit` and what it cost, or the `reason` why there is nothing to tell."""

    pair: str
    engine: str
    seed: int
    threads: int
    version: str
    unit: str
    before: float
    after: float | None = None
    parts: dict[str, float] | None = None
    folded: float | None = None
    cpu_s: float | None = None
    wall_s: float | None = None
    peak_mib: float | None = None
    reason: str = ""


HEAD = (
    "| pair | engine | before | after (spread over seeds) | folded | CPU s | wall s | peak MiB |",
    "|---|---|---|---|---|---|---|---|",
)


def markdown(results: Iterable[Result]) -> str:
    """The table; the best of a pair is bold, failures are a dash and a reason below."""
    groups: dict[tuple[str, int], dict[str, list[Result]]] = {}
    for result in results:
        groups.setdefault((result.pair, result.threads), {}).setdefault(result.engine, []).append(result)
    rows, reasons = [], []
    for (pair, threads), engines in groups.items():
        best = _best(engines.values())
        for engine, runs in engines.items():
            good = [run for run in runs if run.after is not None]
            name = pair if threads == 1 else f"{pair}, {threads} threads"
            rows.append(_row(name, engine, good, bold=engine == best) if good else _dash(name, engine, runs[0]))
            reasons += [f"- {name}, {run.engine}, seed {run.seed}: {run.reason}" for run in runs if run.reason]
    missing = ["", "Nothing to tell, and why:", "", *reasons] if reasons else []
    return "\n".join([*HEAD, *rows, *missing, "", machine(), ""])


def machine() -> str:
    """A line about this computer."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"Machine: {names[0] if names else platform.processor()}, {os.cpu_count()} CPUs, {platform.platform()}."


def _best(engines: Iterable[list[Result]]) -> str:
    """Name of the engine with the best mean, empty if none has one."""
    means = {}
    for runs in engines:
        values = [run.after for run in runs if run.after is not None]
        if values:
            means[runs[0].engine] = mean(values) if runs[0].unit != "Dice" else -mean(values)
    return min(means, key=lambda engine: means[engine], default="")


def _row(name: str, engine: str, runs: list[Result], bold: bool) -> str:
    digits = 3 if runs[0].unit == "Dice" else 2
    values = [run.after for run in runs if run.after is not None]
    after = f"{mean(values):.{digits}f}"
    spread = f" ({stdev(values):.{digits}f}, {len(values)} seeds)" if len(values) > 1 else ""
    folded = max(run.folded or 0.0 for run in runs)
    cells = [
        name, engine, f"{runs[0].before:.{digits}f}", (f"**{after}**" if bold else after) + f" {runs[0].unit}{spread}",
        f"{folded:.2%}",
        *(f"{mean(getattr(run, what) for run in runs):.0f}" for what in ("cpu_s", "wall_s", "peak_mib")),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _dash(name: str, engine: str, run: Result) -> str:
    return f"| {name} | {engine} | {run.before:.{3 if run.unit == 'Dice' else 2}f} | - | - | - | - | - |"
