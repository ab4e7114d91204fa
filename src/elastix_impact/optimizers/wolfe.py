"""How far to go along a line: to a point that is lower enough and flat enough, by the strong Wolfe conditions.

Nocedal and Wright, Numerical Optimization, 2nd edition, 2006, section 3.5: algorithms 3.5 and 3.6 as one loop, cubic
interpolation by equation 3.59. Trials are chosen after Moré and Thuente, "Line search algorithms with guaranteed
sufficient decrease", ACM TOMS 20, 1994, section 4. Lengths, values and slopes are numbers of the host, so that each
trial waits for the device.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, final

_NARROWEST = 1e-6
"""Width of an interval in which float32 values don't differ, relative to its lowest point, or to the first trial."""

_MARGIN = 0.1
"""Share of an interval, at both its ends, that is not tried again."""

_EXTRAPOLATION = (1.1, 4.0)
"""Range of a step beyond the last one, relative to the last one."""


class LineSearchEnd(Enum):
    """Why a line search ended, in the words of elastix's iteration table."""

    WOLFE_SATISFIED = "WolfeSatisfied"
    MAXIMUM_TRIALS = "MaxNrIterations"
    INTERVAL_TOO_SMALL = "IntervalTooSmall"
    ASCENT = "AscentSearchDir"


@final
@dataclass(frozen=True, kw_only=True)
class WolfeConditions:
    """When a trial is accepted, f being the value and f' the slope along the line.

    Attributes
    ----------
    value_tolerance
        f(t) <= f(0) + value_tolerance t f'(0); in (0, 1).
    gradient_tolerance
        |f'(t)| <= gradient_tolerance |f'(0)|; at least `value_tolerance`, or there may be no such point.
    """

    value_tolerance: float = 1e-4
    gradient_tolerance: float = 0.9

    def is_lower(self, start: "Trial", trial: "Trial") -> bool:
        """The first condition, of sufficient decrease."""
        return trial.value <= start.value + self.value_tolerance * trial.step * start.slope

    def is_flatter(self, start: "Trial", trial: "Trial") -> bool:
        """The second condition, on the curvature."""
        return abs(trial.slope) <= -self.gradient_tolerance * start.slope


class Trial(NamedTuple):
    """A point of the line: distance from the start, value (infinite = not usable), slope, and what else was found."""

    step: float
    value: float
    slope: float
    found: Any


@final
@dataclass(frozen=True, eq=False)
class LineSearch:
    """How a line search went.

    Attributes
    ----------
    best
        The point chosen; that at distance 0 if none was better.
    trials
        Points measured.
    is_lower, is_flatter
        Whether the point chosen fulfils the two conditions.
    end
        Why the search ended.
    """

    best: Trial
    trials: int
    is_lower: bool
    is_flatter: bool
    end: LineSearchEnd


def search_line(
    measure: Callable[[float], Trial],
    start: Trial,
    *,
    first_step: float,
    conditions: WolfeConditions,
    maximum_trials: int,
) -> LineSearch:
    """A point along a line that fulfils the strong Wolfe conditions, or the lowest one found until trials run out.

    Parameters
    ----------
    measure
        The point at a distance > 0 from the start.
    start
        That at distance 0.
    first_step
        Distance of the first trial, > 0.
    maximum_trials
        At least 1.
    """

    def result(best: Trial, trials: int, end: LineSearchEnd) -> LineSearch:
        lower, flatter = conditions.is_lower(start, best), conditions.is_flatter(start, best)
        return LineSearch(best, trials, lower, flatter, end)

    if not start.slope < 0:
        return result(start, 0, LineSearchEnd.ASCENT)
    low, high, step = start, None, first_step
    for number in range(1, maximum_trials + 1):
        trial = measure(step)
        lower = conditions.is_lower(start, trial)
        if lower and conditions.is_flatter(start, trial):
            return result(trial, number, LineSearchEnd.WOLFE_SATISFIED)
        before = low
        low, high = _narrowed(low, high, trial, lower=lower)
        if high is None:
            step = _beyond(before, low)
        elif abs(high.step - low.step) <= _NARROWEST * (low.step or first_step):
            return result(low, number, LineSearchEnd.INTERVAL_TOO_SMALL)
        else:
            step = _between(low, high, is_overshot=trial is high)
    return result(low, maximum_trials, LineSearchEnd.MAXIMUM_TRIALS)


def _narrowed(low: Trial, high: Trial | None, trial: Trial, *, lower: bool) -> tuple[Trial, Trial | None]:
    """The lowest point and the other end of an interval that holds a point sought; None = no end is known yet."""
    if not lower or trial.value >= low.value:
        return low, trial
    ahead = 1.0 if high is None else high.step - low.step
    return trial, low if trial.slope * ahead >= 0 else high


def _beyond(before: Trial, low: Trial) -> float:
    """The next trial where the line still falls at `low`: the farther of two minima foretold, within bounds."""
    width = low.step - before.step
    least, most = (low.step + factor * width for factor in _EXTRAPOLATION)
    if low.slope <= before.slope:
        return most
    secant, cubic = _secant_minimum(before, low), cubic_minimum(before, low)
    farther = most if cubic is None or cubic <= low.step else max(cubic, secant)
    return min(max(farther, least), most)


def _between(low: Trial, high: Trial, *, is_overshot: bool) -> float:
    """The next trial within an interval, not too near its ends; `is_overshot` if `high` was the last one.

    After a trial that was too high the minimum of a cubic, or half way from it to that of a parabola if this lies
    nearer; after one behind the minimum the farther of the minima that cubic and secant foretell.
    """
    cubic = cubic_minimum(low, high)
    if cubic is None:
        return (low.step + high.step) / 2
    foretold = cubic
    if is_overshot:
        parabola = _parabola_minimum(low, high)
        if abs(parabola - low.step) <= abs(cubic - low.step):
            foretold = (cubic + parabola) / 2
    elif low.slope * high.slope < 0:
        foretold = max(cubic, _secant_minimum(low, high), key=lambda step: abs(step - low.step))
    left, right = sorted((low.step, high.step))
    margin = _MARGIN * (right - left)
    return min(max(foretold, left + margin), right - margin)


def _secant_minimum(one: Trial, other: Trial) -> float:
    """Where the line through two slopes, which differ, is zero."""
    return other.step - other.slope * (other.step - one.step) / (other.slope - one.slope)


def _parabola_minimum(low: Trial, high: Trial) -> float:
    """Where the parabola with the values of both points and the slope of `low`, which falls towards `high`, is flat."""
    width = high.step - low.step
    bend = high.value - low.value - low.slope * width
    return low.step - low.slope * width * width / (2 * bend) if bend > 0 else (low.step + high.step) / 2


def cubic_minimum(one: Trial, other: Trial) -> float | None:
    """Where the cubic with the values and slopes of two points has its minimum; None if it has none."""
    width = other.step - one.step
    d1 = one.slope + other.slope - 3 * (other.value - one.value) / width
    square = d1 * d1 - one.slope * other.slope
    if not 0 <= square < math.inf:
        return None
    d2 = math.copysign(math.sqrt(square), width)
    divisor = other.slope - one.slope + 2 * d2
    return None if divisor == 0 else other.step - width * (other.slope + d2 - d1) / divisor
