"""Line searches on curves: what they end with fulfils the conditions, whatever the first step."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elastix_impact.optimizers.wolfe import (
    LineSearch,
    LineSearchEnd,
    Trial,
    WolfeConditions,
    cubic_minimum,
    search_line,
)

Curve = Callable[[torch.Tensor], torch.Tensor]

CURVES: dict[str, Curve] = {
    "parabola": lambda t: (t - 3) ** 2,
    "a function of Moré and Thuente": lambda t: -t / (t**2 + 2),
    "quintic": lambda t: (t + 0.3) ** 5 - 2 * (t + 0.3) ** 4,
    "waves on a slope": lambda t: (t - 5) ** 2 + 2 * torch.sin(3 * t),
    "a wall": lambda t: torch.where(t > 2, torch.inf, (t - 1.5) ** 2),
}


def trial(curve: Curve, step: float) -> Trial:
    t = torch.tensor(step, dtype=torch.float64, requires_grad=True)
    value = curve(t)
    (slope,) = torch.autograd.grad(value, t)
    return Trial(step, float(value.detach()), float(slope), step)


def search(curve: Curve, first_step: float, conditions: WolfeConditions, maximum: int = 60) -> LineSearch:
    return search_line(
        lambda step: trial(curve, step), trial(curve, 0.0), first_step=first_step,
        conditions=conditions, maximum_trials=maximum,
    )  # fmt: skip


@pytest.mark.parametrize("name", CURVES)
@settings(max_examples=60, deadline=None)
@given(first_step=st.floats(1e-3, 1e3), flatness=st.sampled_from([0.9, 0.1, 0.001]))
def test_the_conditions_hold_at_the_end(name: str, first_step: float, flatness: float) -> None:
    conditions = WolfeConditions(value_tolerance=1e-4, gradient_tolerance=flatness)
    start, found = trial(CURVES[name], 0.0), search(CURVES[name], first_step, conditions)
    assert found.end is LineSearchEnd.WOLFE_SATISFIED
    assert found.is_lower
    assert found.is_flatter
    assert found.best == trial(CURVES[name], found.best.step)
    assert found.best.value <= start.value + 1e-4 * found.best.step * start.slope
    assert abs(found.best.slope) <= flatness * abs(start.slope)
    assert found.trials <= 40


def test_a_good_first_step_is_the_only_one() -> None:
    found = search(CURVES["parabola"], 2.5, WolfeConditions())
    assert (found.trials, found.best.step) == (1, 2.5)


def test_trials_are_bounded_and_the_lowest_is_kept() -> None:
    found = search(lambda t: -t, 1.0, WolfeConditions(), maximum=3)
    assert (found.end, found.trials) == (LineSearchEnd.MAXIMUM_TRIALS, 3)
    assert found.is_lower
    assert not found.is_flatter
    assert found.best.step == 21.0, "1, then each time four times as much again"


def test_uphill_no_trial_is_made() -> None:
    found = search(lambda t: t, 1.0, WolfeConditions())
    assert (found.end, found.trials, found.best.step) == (LineSearchEnd.ASCENT, 0, 0.0)


def test_where_nothing_is_lower_the_start_is_kept() -> None:
    """Values whose slope is wrong, as where rounding hides the decrease."""
    found = search_line(
        lambda step: Trial(step, 1.0, -1e-9, None), Trial(0.0, 1.0, -1e-9, None), first_step=1.0,
        conditions=WolfeConditions(), maximum_trials=60,
    )  # fmt: skip
    assert found.end is LineSearchEnd.INTERVAL_TOO_SMALL
    assert found.best.step == 0
    assert not found.is_flatter


@given(low=st.floats(-5, 5), high=st.floats(-5, 5))
def test_the_cubic_minimum_is_that_of_a_cubic(low: float, high: float) -> None:
    """x^3 - 3 x has its minimum at 1."""
    if abs(low - high) < 0.1:
        return
    one, other = (Trial(x, x**3 - 3 * x, 3 * x**2 - 3, None) for x in (low, high))
    assert cubic_minimum(one, other) == pytest.approx(1.0, abs=1e-4)


def test_no_minimum_is_foretold_without_one() -> None:
    assert cubic_minimum(Trial(0.0, 0.0, 1.0, None), Trial(1.0, 0.9, 1.0, None)) is None
    assert cubic_minimum(Trial(0.0, 0.0, -1.0, None), Trial(1.0, math.inf, math.nan, None)) is None
