"""`python -m benchmarks.busy DIR`: the whole command on a quiet machine, and beside neighbours that never rest.

Registers the demo's pair with two threads, by turns with OpenMP's own spin and with the short one that the package asks
for (`elastix_impact.short_spin`). Writes DIR/busy.md. Say nothing of a machine that has other work to do meanwhile.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from elastix_impact.phantoms.case import make_demo_case
from elastix_impact.short_spin import SHORT

NEIGHBOURS = 4
THREADS = 2

SPINS = {"OpenMP's own": {"GOMP_SPINCOUNT": "300000", "KMP_BLOCKTIME": "200"}, "short": SHORT}
"""Names, and the environment variables that ask for them; the first are what the runtimes take if nobody says."""


@contextlib.contextmanager
def neighbours(number: int) -> Iterator[None]:
    """Processes that take all the processor they get, while the block runs."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def seconds(data: Path, out: Path, spin: dict[str, str]) -> float:
    """Wall seconds of one registration."""
    words = ["run", "--data", str(data), "--out", str(out), "--threads", str(THREADS), "--quiet"]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"} | spin
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "elastix_impact", *words], env=environment, stdout=subprocess.DEVNULL, check=True
    )
    return time.perf_counter() - began


def main() -> None:
    """Measure by turns, so that what else the machine does meets all alike."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.busy", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    data = folder / "Data"
    make_demo_case(data)
    found: dict[tuple[str, int], list[float]] = {}
    for _ in range(arguments.repeats):
        for number in (0, NEIGHBOURS):
            for name, spin in SPINS.items():
                with neighbours(number):
                    found.setdefault((name, number), []).append(seconds(data, folder / "Out", spin))
    lines = [f"| spin | quiet, s | {NEIGHBOURS} neighbours, s | ratio |", "|---|---|---|---|"]
    for name in SPINS:
        quiet, busy = (statistics.median(found[name, number]) for number in (0, NEIGHBOURS))
        lines.append(f"| {name} | {quiet:.1f} | {busy:.1f} | {busy / quiet:.1f} |")
    text = "\n".join(lines) + "\n"
    (folder / "busy.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
