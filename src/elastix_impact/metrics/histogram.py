"""The joint histogram of two images by Parzen windows.

Every sample spreads a weight of 1 over the bins by a B-spline window per image, so that the histogram can be
differentiated by the moving intensities. Thevenaz and Unser, IEEE TIP 9(12), 2000; Mattes et al., IEEE TMI 22(1),
2003. Ranges, padding and windows are elastix's.
"""

from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.geometry.kernels import kernel_taps
from elastix_impact.typing import Weights1

from .limiters import IntensityLimits

Histogram = Float[Tensor, "fixed_bins moving_bins"]

_SMALL = 1e-3
"""Bins by which the histogram is wider than the limited range, at each end."""


@final
@dataclass(frozen=True, kw_only=True)
class HistogramSettings:
    """Bins, windows and margins of a joint histogram; names and defaults are elastix's.

    Attributes
    ----------
    fixed_bins, moving_bins
        NumberOfFixedHistogramBins, NumberOfMovingHistogramBins.
    fixed_kernel_order, moving_kernel_order
        FixedKernelBSplineOrder, 0 to 3, and MovingKernelBSplineOrder, 1 to 3: orders of the Parzen windows.
    fixed_limit_range_ratio, moving_limit_range_ratio
        FixedLimitRangeRatio, MovingLimitRangeRatio: margins as shares of the images' ranges, at least 0.

    Raises
    ------
    InputError
        If a number is outside these ranges or the bins are too few for the windows.
    """

    fixed_bins: int = 32
    moving_bins: int = 32
    fixed_kernel_order: int = 0
    moving_kernel_order: int = 3
    fixed_limit_range_ratio: float = 0.01
    moving_limit_range_ratio: float = 0.01

    def __post_init__(self) -> None:
        _check_order("FixedKernelBSplineOrder", self.fixed_kernel_order, smallest=0)
        _check_order("MovingKernelBSplineOrder", self.moving_kernel_order, smallest=1)
        # The moving axis is made wider by a part of a *fixed* bin: the fixed bins must be enough for both windows.
        widest = max(self.fixed_kernel_order, self.moving_kernel_order)
        _check_bins("NumberOfFixedHistogramBins", self.fixed_bins, widest)
        _check_bins("NumberOfMovingHistogramBins", self.moving_bins, self.moving_kernel_order)
        _check_ratio("FixedLimitRangeRatio", self.fixed_limit_range_ratio)
        _check_ratio("MovingLimitRangeRatio", self.moving_limit_range_ratio)


def _check_order(name: str, order: int, *, smallest: int) -> None:
    if not smallest <= order <= 3:
        raise InputError(f"a Parzen window of order {order}", where=name, expected=f"an order from {smallest} to 3")


def _check_bins(name: str, bins: int, order: int) -> None:
    fewest = 2 * (order // 2) + 2
    if bins < fewest:
        raise InputError(
            f"{bins} bins are too few for Parzen windows of order {order}",
            where=name,
            expected=f"at least {fewest}",
            remedy="Use 32",
        )


def _check_ratio(name: str, ratio: float) -> None:
    if not ratio >= 0:
        raise InputError(f"a margin of {ratio} times the range of intensities", where=name, expected="0 or more")


@final
@dataclass(frozen=True, eq=False)
class Windows:
    """The Parzen windows of N intensities on one axis of the histogram.

    Attributes
    ----------
    start
        (N,) first bin that each window touches.
    weights, slopes
        (N, order + 1) weights of the bins from there on, which sum to 1, and their derivatives by the intensity.
    """

    start: Int[Tensor, " N"]
    weights: Float[Tensor, "N taps"]
    slopes: Float[Tensor, "N taps"]

    @property
    def cells(self) -> Int[Tensor, "N taps"]:
        """The bins that each window touches."""
        return self.start.unsqueeze(1) + torch.arange(self.weights.shape[1], device=self.start.device)

    def spread(self, bins: int) -> Float[Tensor, "N bins"]:
        """The weights of all bins."""
        taps = self.weights.shape[1]
        place = torch.arange(bins, device=self.start.device) - self.start.unsqueeze(1)
        return F.pad(self.weights, [1, 1]).gather(1, place.clamp(-1, taps) + 1)


@final
@dataclass(frozen=True)
class HistogramAxis:
    """The bins of one image and what is done to its intensities.

    Attributes
    ----------
    limits
        Limited intensities lie within these bounds.
    bins, order
        Number of bins and order of the windows.
    low, bin_size
        Intensity in the middle of bin `order` // 2, and intensities per bin.
    """

    limits: IntensityLimits
    bins: int
    order: int
    low: float
    bin_size: float

    @staticmethod
    def of(limits: IntensityLimits, bins: int, order: int, margin_bins: int) -> "HistogramAxis":
        """The axis whose bins cover the bounds of `limits` and, with `order` // 2 more at each end, every window.

        It is wider than the bounds by a thousandth of the bin that `margin_bins` bins would have.
        """
        low, high = limits.bounds
        padding = order // 2
        small = _SMALL * (high - low) / (margin_bins - 2 * padding - 1)
        bin_size = (high - low + 2 * small) / (bins - 2 * padding - 1)
        return HistogramAxis(limits, bins, order, low - small, min(max(bin_size, 1e-10), 1e10))

    def windows(self, limited: Weights1) -> Windows:
        """The windows of limited intensities (N,)."""
        positions = (limited - self.low) / self.bin_size + self.order // 2
        start, weights, slopes = kernel_taps(positions.unsqueeze(1), self.order, derivatives=True)
        return Windows(start[:, 0].clamp(0, self.bins - 1 - self.order), weights[:, 0], slopes[:, 0] / self.bin_size)


def histogram_axes(
    fixed_range: tuple[float, float], moving_range: tuple[float, float], settings: HistogramSettings
) -> tuple[HistogramAxis, HistogramAxis]:
    """The fixed and the moving axis for images with these ranges (low, high) of intensities."""
    fixed = IntensityLimits.of(fixed_range, settings.fixed_limit_range_ratio)
    moving = IntensityLimits.of(moving_range, settings.moving_limit_range_ratio)
    return (
        HistogramAxis.of(fixed, settings.fixed_bins, settings.fixed_kernel_order, settings.fixed_bins),
        HistogramAxis.of(moving, settings.moving_bins, settings.moving_kernel_order, settings.fixed_bins),
    )


def joint_by_addition(fixed: Windows, moving: Windows, weights: Weights1, bins: tuple[int, int]) -> Histogram:
    """The joint histogram of weighted samples, cell by cell; measured 5 to 25 times faster on a CPU than a product."""
    cells = fixed.cells.unsqueeze(2) * bins[1] + moving.cells.unsqueeze(1)
    shares = (fixed.weights * weights.unsqueeze(1)).unsqueeze(2) * moving.weights.unsqueeze(1)
    return weights.new_zeros(bins[0] * bins[1]).index_add_(0, cells.flatten(), shares.flatten()).view(bins)


def joint_by_product(fixed: Windows, moving: Windows, weights: Weights1, bins: tuple[int, int]) -> Histogram:
    """The same as one matrix product: for GPUs, where it needs no atomic additions and is reproducible."""
    return (fixed.spread(bins[0]) * weights.unsqueeze(1)).T @ moving.spread(bins[1])


def log_or_zero(probabilities: Float[Tensor, "a b"]) -> Float[Tensor, "a b"]:
    """Natural logarithms, 0 for probability 0."""
    return torch.where(probabilities > 0, probabilities, 1.0).log()
