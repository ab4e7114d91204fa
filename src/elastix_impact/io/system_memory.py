"""How much memory this process can still take, and who says so: the machine, its control groups, or ulimit.

In a container the machine's own number means nothing: a control group ends whoever takes more than its limit. Linux,
Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst; other systems don't tell.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import final

ROOT = Path("/")
KIB = 1024
GIB = 1 << 30

UNLIMITED = 1 << 60
"""Bytes from which on a limit is none: version 1 writes the largest multiple of a page for "no limit"."""


@final
@dataclass(frozen=True, order=True)
class FreeMemory:
    """Bytes that can still be taken, and by what they are limited: ``"of the machine"``, ``"by the cgroup /a/b"``."""

    bytes: int
    limit: str

    def __str__(self) -> str:
        return f"{self.bytes / GIB:.1f} GiB {self.limit}"


@final
@dataclass(frozen=True)
class _Version:
    """What a version of control groups calls its files: where they lie, limits, use, and what of it can go."""

    folders: tuple[str, ...]
    limits: tuple[str, ...]
    usage: str
    reclaimable: str


_VERSIONS = {
    1: _Version(("sys/fs/cgroup/memory",), ("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file"),
    2: _Version(
        ("sys/fs/cgroup", "sys/fs/cgroup/unified"), ("memory.max", "memory.high"), "memory.current", "inactive_file"
    ),
}
_ULIMITS = {"Max address space": ("VmSize", "by ulimit -v"), "Max data size": ("VmData", "by ulimit -d")}
"""Lines of /proc/self/limits: the line of /proc/self/status that they limit, and what sets them."""


def free_memory_of_system(root: Path = ROOT) -> FreeMemory | None:
    """The least that any of the limits leaves; None where the system doesn't tell.

    Parameters
    ----------
    root
        Folder that has ``proc`` and ``sys``.
    """
    return min((*_machine(root), *_groups(root), *_ulimits(root)), default=None)


def memory_of_process(root: Path = ROOT) -> tuple[int, int] | None:
    """Bytes in memory of this process, now and at most so far; None where the system doesn't tell."""
    lines = _numbers(root / "proc/self/status")
    return (lines["VmRSS"] * KIB, lines["VmHWM"] * KIB) if {"VmRSS", "VmHWM"} <= lines.keys() else None


def _machine(root: Path) -> Iterator[FreeMemory]:
    available = _numbers(root / "proc/meminfo").get("MemAvailable")
    if available is not None:
        yield FreeMemory(available * KIB, "of the machine")


def _groups(root: Path) -> Iterator[FreeMemory]:
    """What each control group of this process leaves, its own and all above it."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, place = rest.partition(":")
        kind = 2 if number == "0" and not controllers else 1 if "memory" in controllers.split(",") else None
        if kind is None or ".." in place:
            continue
        own = PurePosixPath(place.lstrip("/"))
        for group in (own, *own.parents):
            for folder in _VERSIONS[kind].folders:
                yield from _group(root / folder / group, _VERSIONS[kind], f"by the cgroup /{group}".rstrip("."))


def _group(folder: Path, version: _Version, words: str) -> Iterator[FreeMemory]:
    """What one group leaves: its least limit less what it uses; file cache that is not in use makes room."""
    limits = [limit for name in version.limits if (limit := _number(folder / name)) is not None and limit < UNLIMITED]
    used = _number(folder / version.usage)
    if limits and used is not None:
        cache = _numbers(folder / "memory.stat").get(version.reclaimable, 0)
        yield FreeMemory(max(0, min(limits) - max(0, used - cache)), words)


def _ulimits(root: Path) -> Iterator[FreeMemory]:
    status = _numbers(root / "proc/self/status")
    for line in _text(root / "proc/self/limits").splitlines():
        for name, (measure, words) in _ULIMITS.items():
            soft = line.removeprefix(name).split()[:1]
            if line.startswith(name) and soft and soft[0].isdigit() and measure in status:
                yield FreeMemory(max(0, int(soft[0]) - status[measure] * KIB), words)


def _numbers(path: Path) -> dict[str, int]:
    """The whole numbers of a file with lines ``name: 123 kB`` or ``name 123``."""
    rows = (line.replace(":", " ").split() for line in _text(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}


def _number(path: Path) -> int | None:
    """The whole number that a file holds; None for ``max``, and where there is no such file."""
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
