"""`make bench`: accuracy, time and memory on real CT with known motion, beside the reference and a live yardstick."""

import argparse
import json
import statistics
from pathlib import Path

from .classic import classic_metrics
from .ct_lung import DATA, Run, lung_map, ours, yardstick

MAXIMUM_YARDSTICKS = {
    "static_m730": 3.0, "static_mind": 2.0, "static_encoder": 4.0, "jacobian_m730": 15.5, "jacobian_encoder": 15.5,
}  # fmt: skip
"""Iterations of the yardstick that one of ours may cost; in Jacobian mode half of the reference's."""

CONTRASTS = {"static_encoder": ("mono",), "jacobian_m730": ("mono",)}
"""Where not both moving images are registered."""


def main() -> None:
    """Print a table and write the numbers as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is absent: the benchmark needs the shared images")
    reference = json.loads((DATA / "reference.json").read_text())
    results = {}
    for case in MAXIMUM_YARDSTICKS:
        results[case] = _one_case(case, reference.get(case, {}), arguments.threads, arguments.seeds)
    results |= classic_metrics(arguments.threads, arguments.seeds)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def _one_case(case: str, reference: dict, threads: int, seeds: list[int]) -> dict:
    """Yardstick, ours, yardstick again: the machine drifts, so the yardstick is measured on both sides."""
    moving = CONTRASTS.get(case, ("mono", "multi"))
    first = yardstick(threads)
    runs = {c: [ours(lung_map(case), c, seed, threads) for seed in seeds] for c in moving}
    last = yardstick(threads)
    stick = statistics.median((*first.milliseconds, *last.milliseconds))
    everything = [run for of_contrast in runs.values() for run in of_contrast]
    iteration = statistics.median(ms for run in everything for ms in run.milliseconds)
    print(f"\n{case}: {threads} threads, seeds {seeds}; the yardstick's iteration takes {stick:.2f} ms")
    limit = MAXIMUM_YARDSTICKS[case]
    print(f"  median iteration  {iteration:6.2f} ms = {iteration / stick:.2f} yardsticks (at most {limit:g})")
    estimation = statistics.median(level["estimation"] for run in everything for level in run.levels)
    print(f"  step sizes        {estimation:6.2f} s per level to estimate (reference: {_estimation(reference)})")
    _print_wall(everything, first, last, reference)
    peak = max(run.peak_mib for run in everything)
    print(f"  peak memory       {peak:6.0f} MiB (reference: {reference.get('peak_mib', '?')})")
    share = statistics.median(run.checkpoint_share for run in everything)
    print(f"  checkpoints       {share:6.2%} of the whole command (at most 1 %)")
    for contrast, of_contrast in runs.items():
        _print_accuracy(contrast, of_contrast, reference)
    return {
        "yardstick_ms": stick,
        "iteration_ms": iteration,
        "estimation_s": estimation,
        "yardstick_wall_s": [first.seconds, last.seconds],
        "runs": {contrast: [vars(run) for run in of_contrast] for contrast, of_contrast in runs.items()},
    }


def _estimation(reference: dict) -> str:
    seconds = reference.get("step_size_estimation_s_by_level")
    return f"{statistics.mean(seconds):.1f} s" if seconds else "?"


def _print_wall(everything: list[Run], first: Run, last: Run, reference: dict) -> None:
    wall = statistics.median(run.seconds for run in everything)
    stick = (first.seconds + last.seconds) / 2
    beside = f"{wall / stick:.2f} of the yardstick's {stick:.1f} s; reference: {reference.get('wall_s')} s"
    print(f"  whole command     {wall:6.1f} s  = {beside}")


def _print_accuracy(contrast: str, runs: list[Run], reference: dict) -> None:
    errors = [run.tre_mm for run in runs if run.tre_mm is not None]
    theirs = reference.get("corrected", reference).get(f"tre_{contrast}")
    beside = f" (reference: {statistics.mean(theirs):.3f})" if theirs else ""
    print(f"  mean TRE {contrast:6s}   {statistics.mean(errors):6.3f} mm of {[round(e, 3) for e in errors]}{beside}")


if __name__ == "__main__":
    main()
