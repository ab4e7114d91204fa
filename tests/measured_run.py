"""A run in a process of its own: what it foresaw, and what the system says that it took."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MEASURE = """\
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_maxrss * 1024, used.ru_utime + used.ru_stime)
"""
"""Linux hands the peak of a parent down to its child: this one is small."""


@dataclass(frozen=True)
class MeasuredRun:
    """Peaks in bytes and seconds of the processor, foreseen and measured; the peak that the record holds."""

    foreseen: int
    measured: int
    recorded: int
    seconds_foreseen: float
    seconds: float

    @property
    def ratio(self) -> float:
        """Of the peak foreseen to that measured."""
        return self.foreseen / self.measured

    def __str__(self) -> str:
        return (
            f"foreseen {self.foreseen >> 20} MiB, measured {self.measured >> 20} MiB ({self.ratio:.2f}); "
            f"{self.seconds_foreseen:.0f} s foreseen, {self.seconds:.0f} s of the processor"
        )


def run_measured(out: Path, *words: str) -> MeasuredRun:
    """Run `elastix-impact` with these words into `out` on one thread of the CPU."""
    command = [sys.executable, "-m", "elastix_impact", *words, "-o", str(out), "--device", "cpu", "--threads", "1"]
    measure = [sys.executable, "-c", MEASURE, *command, "--quiet", "--seed", "1"]
    said = subprocess.run(measure, capture_output=True, text=True, check=True)
    code, peak, seconds = said.stdout.split()
    assert code == "0", said.stderr
    record = json.loads((out / "registration.json").read_text())
    forecast = record["forecast"]
    return MeasuredRun(
        forecast["peak_bytes"]["cpu"], int(peak), record["memory"]["peak_bytes"], forecast["seconds"], float(seconds)
    )
