"""Damaged parameter maps, by a seed: `check` and the planning of a run say the same, and never a traceback.

A map that is accepted has a plan of finite numbers, which can be written. What no reader may pass over (a parameter
twice, a quote or parenthesis left open) is refused; values that are no numbers are found in no plan.
"""

import contextlib
import io
import json
import math
import random
import re
from pathlib import Path

import pytest

from elastix_impact.cli.main import main
from elastix_impact.errors import ElastixImpactError
from elastix_impact.parameters.plan import RegistrationPlan
from elastix_impact.runs.plans import CasePlan, plan_case, resolve_for
from fuzz.battery import CASES, WRONG, Case, Outcome, run_battery
from fuzz.maps import BROKEN, damaged_map, sound_maps

LARGEST = 3e38
"""Images are float32."""


@pytest.fixture(scope="module")
def sound() -> list[str]:
    return sound_maps()


def test_damaged_maps(sound: list[str], tmp_path: Path) -> None:
    path = tmp_path / "map.txt"

    def make(seed: int) -> Case:
        draw = random.Random(seed)
        how, content = damaged_map(draw.choice(sound), draw)
        path.write_bytes(content)
        return Case(how, lambda: taken(path, how), path.name)

    outcomes = run_battery(make)
    assert outcomes["refused"] > CASES // 4
    assert outcomes["read"] > CASES // 10


def taken(path: Path, how: str) -> Outcome:
    """What a run makes of the map; it must be what `check` says."""
    said, code = checked(path)
    if "Traceback" in said or "fault of elastix-impact" in said or code not in (0, 2):
        return f"{WRONG}check ends with {code}: {said}"
    try:
        plan = plan_case((path,), None, None)
    except ElastixImpactError as error:
        if code == 0:
            return f"{WRONG}check accepts what a run refuses: {error}"
        raise
    if code:
        return f"{WRONG}check refuses what a run accepts: {said}"
    if how in BROKEN:
        return f"{WRONG}accepted"
    for stage in (*plan.stages, *resolve_for(plan, _dimension(plan)).stages):
        numbers = numbers_in(stage.to_json())
        if not all(math.isfinite(number) and abs(number) <= LARGEST for number in numbers):
            return f"{WRONG}a plan with the number {max(numbers, key=abs)}"
    return "read"


def _dimension(plan: CasePlan) -> int:
    """That of the images that the maps are for."""
    return next((stage.dimension for stage in plan.stages if isinstance(stage, RegistrationPlan)), 3)


def checked(path: Path) -> tuple[str, int]:
    """What `check` says of a map, and its exit code."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as errors:
        code = main(["check", "--effective", str(path)])
    return out.getvalue() + errors.getvalue(), code


def numbers_in(plan: object) -> list[float]:
    """Every number of a plan."""
    text = re.sub(r'"[^"]*"', "", json.dumps(plan))
    return [float(number) for number in re.findall(r"-?(?:[\d.]+(?:[eE][-+]?\d+)?|NaN|Infinity)", text)]
