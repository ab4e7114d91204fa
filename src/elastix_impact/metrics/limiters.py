"""Bringing intensities into the range that a histogram covers."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

Values = Float[Tensor, "N"]

_NO_MARGIN = 1e-30
"""Stands for a margin of 0: the exponential is then 1 inside the range and 0 outside, which means clipping."""


@final
@dataclass(frozen=True)
class IntensityLimits:
    """The range of an image's intensities with a margin at both ends.

    Attributes
    ----------
    low, high
        Smallest and largest intensity of the image inside its mask.
    margin
        How far limited intensities may go beyond them, at least 0: elastix's LimitRangeRatio times (high - low).
    """

    low: float
    high: float
    margin: float

    @staticmethod
    def of(range_: tuple[float, float], ratio: float) -> "IntensityLimits":
        """The limits for a range (low, high) with a margin of `ratio` times its length."""
        low, high = range_
        return IntensityLimits(low, high, ratio * (high - low))

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest limited intensity."""
        return self.low - self.margin, self.high + self.margin

    def hard(self, values: Values) -> Values:
        """Values clipped to the bounds (elastix's HardLimiterFunction)."""
        return values.clamp(*self.bounds)

    def soft(self, values: Values) -> tuple[Values, Values]:
        """Values that approach the bounds exponentially beyond the range, and the derivative of that map.

        Inside the range they stay as they are (elastix's ExponentialLimiterFunction).
        """
        above, below = (values - self.high).clamp_min(0.0), (self.low - values).clamp_min(0.0)
        slopes = torch.exp((above + below) * (-1.0 / max(self.margin, _NO_MARGIN)))
        inside = values.clamp(self.low, self.high)
        return inside + torch.sign(above - below) * (self.margin * (1.0 - slopes)), slopes
