"""Damaged image files: a good read or an error of ours; no crash, traceback, hang, or voxel that was filled in."""

import re
import resource
import shutil
from pathlib import Path

from elastix_impact.io.images import read_image
from fuzz.battery import CASES, WRONG, Case, Outcome, refusal, run_battery
from fuzz.image_headers import write_damaged
from fuzz.worker import Worker

MOST_MEGABYTES = 1500
"""Of memory in all, PyTorch included: no header makes it take more."""


def read(path: Path) -> str:
    """What becomes of a file."""
    image = read_image(path, allow_constant=True)
    used = _most_megabytes()
    if used > MOST_MEGABYTES:
        return f"took {used} MB"
    filled = int((image.data == 0).sum())
    return f"filled {filled} of {image.data.numel()} voxels" if filled else "read"


def _most_megabytes() -> int:
    """The most memory that this process has had; `ru_maxrss` would hold what the one had that started it."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) // 1024


def test_damaged_headers(tmp_path: Path) -> None:
    with Worker(read) as worker:

        def make(seed: int) -> Case:
            shutil.rmtree(tmp_path / "one", ignore_errors=True)
            (tmp_path / "one").mkdir()
            path = write_damaged(tmp_path / "one", seed)
            return Case(path.suffix, lambda: taken(worker(path)))

        outcomes = run_battery(make)
    assert outcomes["refused"] > CASES // 2
    assert outcomes["read"] > CASES // 50


def taken(words: str) -> Outcome:
    """The outcome by what the worker says of a file."""
    if words == "read":
        return words
    return refusal(words, "") if words.startswith("refused") and "\n" not in words else f"{WRONG}{words}"
