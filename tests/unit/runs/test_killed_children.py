"""Killed by SIGKILL while itk-elastix works: it ends too, and the copies of images that it was given go."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("itk", reason="itk-elastix is not installed")

from elastix_impact.staging.staged import WORK_NAME
from tiny_case import MAP, write_tiny_case

CHANGES = {
    '"AdaptiveStochasticGradientDescent"': '"SimultaneousPerturbation"',
    "Iterations 8": "Iterations 1000000",
    '(AutomaticParameterEstimation "true")': "(SP_a 0.0001)",  # so small that it never leaves the image
}


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for processes in /proc")
def test_no_child_lives_on_and_no_copies_of_images_stay(tmp_path: Path) -> None:
    data, work = write_tiny_case(tmp_path / "Data"), tmp_path / "out" / WORK_NAME
    text = MAP
    for old, new in CHANGES.items():
        assert old in text
        text = text.replace(old, new)
    (data / "ParameterMap.txt").write_text(text)
    words = ["run", "--data", str(data), "--out", str(work.parent), "--quiet"]
    log, until = work / "elastix.log", time.monotonic() + 120
    with subprocess.Popen([sys.executable, "-m", "elastix_impact", *words], stderr=subprocess.DEVNULL) as run:
        while not (log.is_file() and "Resolution: 0" in log.read_text()):
            assert time.monotonic() < until
            assert run.poll() is None
            time.sleep(0.05)
        children, copies = commands(str(work).encode()), list(work.rglob("fixed.mha"))
        run.send_signal(signal.SIGKILL)
    assert (len(children), len(copies)) == (1, 1)
    while commands(str(work).encode()) or list(work.rglob(".stage*")):
        assert time.monotonic() < until
        time.sleep(0.05)


def commands(part: bytes) -> list[bytes]:
    """Command lines of living processes that have a part."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:
            continue
    return [command for command in found if part in command]
