"""Where a line search tries next, by hand: minima foretold from two points, and the bounds of a trial."""

import pytest

from elastix_impact.optimizers.wolfe import (
    LineSearchEnd,
    Trial,
    WolfeConditions,
    _between,
    _beyond,
    _narrowed,
    _parabola_minimum,
    _secant_minimum,
    cubic_minimum,
    search_line,
)


def at(step: float, value: float, slope: float) -> Trial:
    return Trial(step, value, slope, None)


def on_cubic(step: float) -> Trial:
    """A point of 9 t^2 - t^3 - 15 t: minimum at 1, maximum at 5."""
    return at(step, -(step**3) + 9 * step**2 - 15 * step, -3 * (step - 1) * (step - 5))


def on_falling_cubic(step: float) -> Trial:
    """A point of t^3 - 3 t: minimum at 1."""
    return at(step, step**3 - 3 * step, 3 * step**2 - 3)


def test_the_line_through_two_slopes() -> None:
    """From -4 at 1 to -1 at 3 it rises by 1.5 per unit."""
    assert _secant_minimum(at(1, 0, -4), at(3, 0, -1)) == pytest.approx(3 + 1 / 1.5)
    assert _secant_minimum(at(3, 0, -1), at(1, 0, -4)) == pytest.approx(3 + 1 / 1.5)


def test_the_parabola_of_two_values_and_a_slope() -> None:
    """5 - 2 u + 1.5 u^2 is 7 at u = 2 and lowest at u = 2/3; one that bends down has no minimum."""
    assert _parabola_minimum(at(1, 5, -2), at(3, 7, 99)) == pytest.approx(1 + 2 / 3)
    assert _parabola_minimum(at(3, 5, 2), at(1, 7, 99)) == pytest.approx(3 - 2 / 3)
    assert _parabola_minimum(at(1, 5, -2), at(3, 0, 99)) == 2.0
    assert _parabola_minimum(at(1, 5, -2), at(3, 1, 99)) == 2.0, "a straight line"


def test_the_cubic_of_a_parabola_and_of_a_saddle() -> None:
    """t^3 is flat at 0 and nowhere lower; of (t - 2)^2 nothing is left but the parabola."""
    assert cubic_minimum(at(-1, -1, 3), at(2, 8, 12)) == pytest.approx(0.0)
    assert cubic_minimum(at(0, 4, -4), at(1, 1, -2)) == pytest.approx(2.0)
    assert cubic_minimum(at(0, 0, -1), at(1, -1, -1)) is None


@pytest.mark.parametrize(
    ("before", "low", "expected"),
    [
        (on_cubic(0.0), on_cubic(0.3), 1.0),  # the secant foretells 0.877
        (on_falling_cubic(0.0), on_falling_cubic(0.5), 2.0),  # the cubic foretells 1
        (on_cubic(-1.0), on_cubic(0.5), 0.5 + 1.1 * 1.5),  # both lie nearer than the least step
        (on_cubic(0.0), on_cubic(0.1), 0.1 + 4 * 0.1),  # both lie beyond the largest
        (at(1, 0, -1), at(2, -1, -1), 2 + 4.0),  # the slope does not change
        (at(1, 0, -1), at(2, -1.2, -1.5), 2 + 4.0),  # it falls faster
        (at(0, 0, -2), at(1, -0.5, -1), 5.0),  # the cubic's minimum lies behind, at 0.5
    ],
)
def test_a_step_beyond_goes_to_the_farther_minimum_within_bounds(before: Trial, low: Trial, expected: float) -> None:
    assert _beyond(before, low) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("low", "high", "is_overshot", "expected"),
    [
        (on_falling_cubic(0.0), on_falling_cubic(2.5), True, 0.8),  # the parabola, at 0.6, is nearer: half way
        (on_cubic(0.0), on_cubic(2.0), False, 1.25),  # slopes -15 and 9: the secant lies behind the cubic's 1
        (on_falling_cubic(0.0), on_falling_cubic(2.0), False, 1.0),  # slopes -3 and 9: the secant gives 0.5
        (on_cubic(2.0), on_cubic(0.0), False, 1.0),  # from the other end the cubic is the farther one
        (on_falling_cubic(0.95), on_falling_cubic(3.0), False, 0.95 + 0.1 * 2.05),  # not too near the lower end
        (on_falling_cubic(-2.0), on_falling_cubic(1.05), False, 1.05 - 0.1 * 3.05),  # nor the upper one
        (at(1, 0, -1), at(3, float("inf"), float("nan")), True, 2.0),  # nothing is foretold
    ],
)
def test_a_trial_within(low: Trial, high: Trial, is_overshot: bool, expected: float) -> None:
    assert _between(low, high, is_overshot=is_overshot) == pytest.approx(expected)


def test_after_an_overshoot_a_cubic_that_is_nearer_counts_alone() -> None:
    """On the cubic with slope -15 at 0 the parabola through the value at 5.5 lies farther than the minimum at 1."""
    low, high = on_cubic(0.0), on_cubic(5.5)
    assert _parabola_minimum(low, high) > 1.5
    assert _between(low, high, is_overshot=True) == pytest.approx(1.0)


def test_an_interval_keeps_its_lowest_point() -> None:
    low, high = at(1, 5, -1), at(4, 9, 3)
    assert _narrowed(low, high, at(2, 6, 1), lower=True) == (low, at(2, 6, 1)), "not below the lowest"
    assert _narrowed(low, high, at(2, 5, 1), lower=True) == (low, at(2, 5, 1)), "as low is not lower"
    assert _narrowed(low, high, at(2, 4, 1), lower=False) == (low, at(2, 4, 1)), "no sufficient decrease"
    assert _narrowed(low, high, at(2, 4, -1), lower=True) == (at(2, 4, -1), high), "it falls on towards the end"
    assert _narrowed(low, high, at(2, 4, 1), lower=True) == (at(2, 4, 1), low), "it rises towards the end"
    assert _narrowed(low, None, at(2, 4, -1), lower=True) == (at(2, 4, -1), None)
    assert _narrowed(low, None, at(2, 4, 1), lower=True) == (at(2, 4, 1), low)
    assert _narrowed(at(4, 9, 3), low, at(2, 4, 1), lower=True) == (at(2, 4, 1), low), "the end lies behind"


def cliff(length: float):
    """A line that falls evenly and ends in a cliff: nowhere flat, so that the search ends where it has narrowed it."""
    return lambda step: at(step, -step if step < length else float("inf"), -1.0)


@pytest.mark.parametrize("unit", [2.0**-12, 2.0**12])
def test_an_interval_is_narrow_relative_to_its_lowest_point_whatever_the_unit(unit: float) -> None:
    """The lowest point is then within a millionth of the cliff."""
    ends = []
    for scale in (1.0, unit):
        found = search_line(
            cliff(0.7 * scale), at(0, 0.0, -1.0), first_step=scale, conditions=WolfeConditions(), maximum_trials=90
        )
        assert found.end is LineSearchEnd.INTERVAL_TOO_SMALL
        assert found.best.step == pytest.approx(0.7 * scale, rel=1e-6)
        ends.append(found.trials)
    assert ends[0] == ends[1]


@pytest.mark.parametrize("unit", [2.0**-12, 2.0**12])
def test_where_nothing_is_lower_it_is_narrow_relative_to_the_first_trial(unit: float) -> None:
    start = at(0, 1.0, -1e-9)
    ends = [
        search_line(
            lambda step: at(step, 2.0, 1.0), start, first_step=scale, conditions=WolfeConditions(), maximum_trials=90
        )
        for scale in (1.0, unit)
    ]
    assert [found.end for found in ends] == [LineSearchEnd.INTERVAL_TOO_SMALL] * 2
    assert [found.best.step for found in ends] == [0.0, 0.0]
