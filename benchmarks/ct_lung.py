"""Our runs on the lung pair with known motion, and the yardstick's, as subprocesses."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared"
DATA = SHARED / "data" / "ct_lung"
GOLDEN = SHARED / "golden"
"""Model paths in the maps are relative to this folder."""


@dataclass(frozen=True)
class Run:
    """What one registration took: `milliseconds` is the median per iteration of each level; shares are of `seconds`."""

    seconds: float
    milliseconds: tuple[float, ...]
    peak_mib: float
    tre_mm: float | None
    levels: tuple[dict[str, float], ...] = ()
    checkpoint_share: float = 0.0


def ours(parameter_map: Path, moving: str, seed: int, threads: int) -> Run:
    """`elastix-impact register`."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable, "-m", "elastix_impact", "register", "-f", DATA / "fixed.mha",
            "-m", DATA / f"moving_{moving}.mha", "--fixed-mask", DATA / "fixed_mask.mha",
            "--fixed-points", DATA / "fixed_points.txt", "--moving-points", DATA / "moving_points.txt",
            "-p", parameter_map, "-o", out, "--device", "cpu",
            "--threads", str(threads), "--seed", str(seed), "--quiet",
        ]  # fmt: skip
        seconds, peak, _ = _timed(command, threads)
        record = json.loads((Path(out) / "registration.json").read_text())
    levels = record["stages"][0]["levels"]
    return Run(
        seconds,
        tuple(level["median_milliseconds"] for level in levels),
        peak,
        record["landmarks_mm"]["after"]["mean"],
        tuple(level["seconds"] for level in levels),
        record["seconds"]["checkpoints"] / seconds,
    )


def itk_elastix(parameter_map: Path, moving: str, seed: int, threads: int) -> Run:
    """itk-elastix with the same images, mask and map; its transform is judged by `elastix-impact evaluate`."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable, "-m", "benchmarks.yardstick", DATA / "fixed.mha", DATA / f"moving_{moving}.mha",
            DATA / "fixed_mask.mha", parameter_map, str(threads), str(seed), out,
        ]  # fmt: skip
        seconds, peak, output = _timed(command, threads)
        evaluate = [
            sys.executable, "-m", "elastix_impact", "evaluate", "--transform", f"{out}/TransformParameters.0.txt",
            "--fixed-points", DATA / "fixed_points.txt", "--moving-points", DATA / "moving_points.txt", "--json",
        ]  # fmt: skip
        errors = json.loads(_timed(evaluate, threads)[2])
    milliseconds = tuple(json.loads(output.splitlines()[-1])["milliseconds"])
    return Run(seconds, milliseconds, peak, errors["landmarks_mm"]["after"]["mean"])


def yardstick(threads: int) -> Run:
    """itk-elastix with mutual information on the grid, samples and iterations of the IMPACT maps."""
    return itk_elastix(lung_map("mi_bspline"), "mono", 1, threads)


def lung_map(case: str) -> Path:
    """A map of the data folder."""
    return DATA / "maps" / f"{case}.txt"


def _timed(command: list[object], threads: int) -> tuple[float, float, str]:
    """Wall seconds, peak memory in MiB and standard output of a command that must succeed."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command], cwd=GOLDEN if "register" in command else None, env=environment,
            stdout=output, stderr=errors,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        output.seek(0)
        errors.seek(0)
        if os.waitstatus_to_exitcode(status):
            raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{errors.read()}")
        return seconds, usage.ru_maxrss / 1024, output.read()
