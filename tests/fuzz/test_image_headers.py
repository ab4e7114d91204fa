"""Damaged image files: a good read or an error of ours; no crash, traceback, hang, or voxel that was filled in."""

import re
import resource
import shutil
from collections import Counter
from pathlib import Path

from elastix_impact.io.images import read_image
from fuzz.image_headers import write_damaged
from fuzz.worker import Worker

CASES = 500
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
    said: Counter[str] = Counter()
    wrong: dict[int, str] = {}
    with Worker(read) as worker:
        for seed in range(CASES):
            folder = tmp_path / "one"
            folder.mkdir()
            words = worker(write_damaged(folder, seed))
            shutil.rmtree(folder)
            said[words.split()[0]] += 1
            if not words.startswith(("read", "refused")) or "Traceback" in words or "\n" in words:
                wrong[seed] = words
    assert not wrong
    assert said["refused"] > CASES // 2
    assert said["read"] > CASES // 50
