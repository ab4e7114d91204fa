"""Usage: python -m tools.mutants [--rooms geometry metrics] [--faults 80] [--seed 1] [--seconds 30].

Prints the score of each room and the faults that no test saw; exit code 1 where the score of a room is below 90 %.
"""

import argparse
import difflib
import sys
from pathlib import Path

import pytest

from .faults import Fault
from .judge import IMPOSSIBLE, KILLED, UNSEEN, Judge, Wanted

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "elastix_impact"
TESTS = {
    "geometry": ("unit/geometry", "oracles/test_pyramid_itk.py", "properties/test_lattice_properties.py"),
    "transforms": ("unit/transforms", "contracts/test_transforms.py"),
    "metrics": ("unit/metrics", "contracts/test_metrics.py"),
    "samplers": ("unit/samplers", "contracts/test_sampler_contract.py", "contracts/test_metrics.py"),
    "optimizers": ("unit/optimizers", "contracts/test_optimizer_contract.py", "unit/test_asgd_estimate.py",
                   "oracles/test_jacobian_terms.py"),
}  # fmt: skip
LEAST = 0.9


def main() -> int:
    """Plant faults, print what came of them."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("--rooms", nargs="+", choices=TESTS, default=list(TESTS), help="default: all")
    parser.add_argument("--faults", type=int, default=80, help="how many per room (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=30, help="CPU time of tests per fault (default %(default)s)")
    given = parser.parse_args()
    judge = Judge(Wanted({room: PACKAGE / room for room in given.rooms}, given.faults, given.seed, given.seconds))
    names = dict.fromkeys(name for room in given.rooms for name in TESTS[room])
    tests = [str(ROOT / "tests" / name) for name in names]
    options = ["-x", "-q", "-s", "--no-header", "--no-summary", "-p", "no:cacheprovider", "-p", "no:xdist"]
    status = pytest.main([*options, "--hypothesis-seed=0", f"--rootdir={ROOT}", *tests], plugins=[judge])
    if len(judge.outcomes) < len(given.rooms):
        return int(status) or 1
    scores = [report(room, outcomes) for room, outcomes in judge.outcomes.items()]
    return int(min(scores) < LEAST)


def report(room: str, outcomes: list[tuple[Fault, str]]) -> float:
    """Print a room's survivors and its score, which is returned."""
    judged = [(fault, outcome) for fault, outcome in outcomes if outcome != IMPOSSIBLE]
    killed = sum(outcome == KILLED for _, outcome in judged)
    for fault, outcome in judged:
        if outcome != KILLED:
            print(f"{fault.path.relative_to(ROOT)}:{fault.line}: {fault.function}", end="")
            print(" (no test comes here)" if outcome == UNSEEN else "")
            print("\n".join(changed_lines(fault)))
    score = killed / max(1, len(judged))
    print(f"{room}: {killed} of {len(judged)} faults seen, {score:.0%}")
    return score


def changed_lines(fault: Fault) -> list[str]:
    """What was taken away and what came, line by line."""
    sound = fault.path.read_text(encoding="utf-8").splitlines()
    difference = difflib.unified_diff(sound, fault.text.splitlines(), lineterm="", n=0)
    return [f"    {line}" for line in list(difference)[3:] if line.strip("+- ")]


if __name__ == "__main__":
    sys.exit(main())
