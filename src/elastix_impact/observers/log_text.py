"""The parts of `elastix.log` around the levels: what was asked, with which versions, and how it ended."""

import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from elastix_impact.evaluation.landmarks import LandmarkSummary

RULE = "-" * 73


def header(
    versions: Mapping[str, str],
    *,
    started: str,
    threads: int,
    command: Sequence[str],
    files: Mapping[str, Path],
    out: Path,
    remarks: Sequence[str],
) -> str:
    """Versions by name (`elastix_impact` too), machine, command line, input files by role, what was said so far."""
    names = dict(versions)
    lines = [
        f"elastix-impact version: {names.pop('elastix_impact')}",
        f"elastix-impact is started at {started}.",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in names.items()),
        f"Runs at: {platform.node()}, {platform.platform()}, {threads} threads",
        f"Command-line arguments: {shlex.join(command)}",
        *(f"{role}: {path}" for role, path in files.items()),
        f"output folder: {out}",
        *remarks,
    ]
    return "\n".join(lines)


def stage_header(number: int, source: Path) -> str:
    """The start of a stage, with its map as it is in the file."""
    return "\n".join(
        [
            RULE,
            "",
            f'Running elastix with parameter file {number}: "{source}".',
            "",
            "=============== start of ParameterMap ===============",
            source.read_text(encoding="utf-8-sig", errors="replace").rstrip(),
            "=============== end of ParameterMap ===============",
        ]
    )


def footer(landmarks: Mapping[str, LandmarkSummary], seconds: float, remark: str) -> str:
    """The end: landmark errors by when they were measured, the total time, and a remark about it."""
    lines = [RULE, ""]
    for name, summary in landmarks.items():
        lines.append(
            f"TRE {name}: mean {summary.mean:.3f} mm, SD {summary.sd:.3f}, median {summary.median:.3f}, "
            f"95th percentile {summary.p95:.3f}, maximum {summary.maximum:.3f} ({summary.n} landmarks)"
        )
    lines.append(f"Total time elapsed: {duration(seconds)}. {remark}".rstrip())
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """A duration like elastix writes it: days, hours, minutes and seconds without separators, e.g. ``1m5.2s``."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    days, hours = divmod(hours, 24)
    parts = [f"{value}{unit}" for value, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if value]
    return "".join([*parts, f"{rest:.1f}s"])
