"""Damaged image files: a good read or an error of ours; no crash, traceback, hang, or voxel that was filled in."""

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
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    if used > MOST_MEGABYTES:
        return f"took {used} MB"
    filled = int((image.data == 0).sum())
    return f"filled {filled} of {image.data.numel()} voxels" if filled else "read"


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
