"""The yardstick: one itk-elastix registration with an intensity metric, in a process of its own.

Usage: python -m benchmarks.yardstick FIXED MOVING MASK MAP THREADS SEED OUT; prints one JSON line.
"""

import json
import statistics
import sys
import time
from pathlib import Path


def main(fixed: str, moving: str, mask: str, parameter_map: str, threads: str, seed: str, out: str) -> None:
    """Register once with itk-elastix and print wall seconds and median milliseconds per iteration and level."""
    began = time.perf_counter()
    import itk

    parameters = itk.ParameterObject.New()
    parameters.AddParameterFile(parameter_map)
    parameters.SetParameter("WriteIterationInfo", "true")
    parameters.SetParameter("RandomSeed", seed)
    itk.elastix_registration_method(
        itk.imread(fixed, itk.F),
        itk.imread(moving, itk.F),
        fixed_mask=itk.imread(mask, itk.UC),
        parameter_object=parameters,
        number_of_threads=int(threads),
        output_directory=out,
    )
    levels = sorted(Path(out).glob("IterationInfo.0.R*.txt"))
    print(json.dumps({"seconds": time.perf_counter() - began, "milliseconds": [_median(level) for level in levels]}))


def _median(table: Path) -> float:
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    return statistics.median(float(row[-1]) for row in rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
