"""The metric that compares two images by a function of their joint histogram, and its gradient."""

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor

from elastix_impact.geometry.image import Image
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points, Scalar

from .base import AbstractMetric, MetricValue
from .histogram import HistogramAxis, HistogramSettings, histogram_axes, joint_by_addition, joint_by_product
from .image_pair import ImagePair, Samples, intensity_range

Criterion = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Takes a joint distribution, fixed bins times moving bins, that sums to 1. Gives a scalar to be minimised and its
derivative by each entry, up to a term that is the same for all entries of a fixed bin: the weights of a window sum to
1, so that such terms cancel."""


@final
class JointHistogramMetric(AbstractMetric):
    """A criterion of the joint histogram of f(x) and m(T(x)), e.g. of those in `mutual_information`.

    Parameters
    ----------
    fixed, moving
        The level's images, in the loop's frame and on its device.
    moving_mask, fixed_mask
        Where the images count, or None. The histogram covers the intensities inside.
    criterion
        What is minimised.
    settings
        Bins, windows and margins.
    fixed_order, moving_order
        Interpolation orders of the images; see `ImagePair`.

    Raises
    ------
    InputError
        If an order does not exist, or a mask covers no voxel of its image.
    """

    def __init__(
        self,
        fixed: Image,
        moving: Image,
        moving_mask: Image | None,
        *,
        fixed_mask: Image | None,
        criterion: Criterion,
        settings: HistogramSettings,
        fixed_order: int = 1,
        moving_order: int = 1,
    ) -> None:
        self._images = ImagePair(fixed, moving, moving_mask, fixed_order=fixed_order, moving_order=moving_order)
        ranges = intensity_range(fixed, fixed_mask), intensity_range(moving, moving_mask)
        self._axes = histogram_axes(*ranges, settings)
        self._criterion = criterion

    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """The criterion of the samples inside the moving domain."""
        samples = self._images.sample(transform, world_points)
        return MetricValue(of_joint_histogram(samples, *self._axes, self._criterion), samples.valid_fraction, {})


def of_joint_histogram(samples: Samples, fixed: HistogramAxis, moving: HistogramAxis, criterion: Criterion) -> Scalar:
    """The criterion of the samples' joint distribution, differentiable with respect to `samples.moving`."""
    return _OfJointHistogram.apply(samples.moving, samples, fixed, moving, criterion)


class _OfJointHistogram(torch.autograd.Function):
    """Limits, windows, histogram and criterion in one step; backwards one gather of the criterion's derivative.

    That is eq. 24 of Thevenaz and Unser, IEEE TIP 9(12), 2000. The tests compare it with autograd's way.
    """

    @staticmethod
    def forward(
        ctx: Any, intensities: Tensor, samples: Samples, fixed: HistogramAxis, moving: HistogramAxis, of: Criterion
    ) -> Tensor:
        limited, limit_slopes = moving.limits.soft(intensities)
        fixed_windows = fixed.windows(fixed.limits.hard(samples.fixed))
        moving_windows = moving.windows(limited)
        shares = samples.weights / samples.count
        joint = joint_by_addition if intensities.device.type == "cpu" else joint_by_product
        value, derivative = of(joint(fixed_windows, moving_windows, shares, (fixed.bins, moving.bins)))
        slopes = moving_windows.slopes * (shares * limit_slopes).unsqueeze(1)
        cells = fixed_windows.cells.unsqueeze(2) * moving.bins + moving_windows.cells.unsqueeze(1)
        ctx.save_for_backward(derivative, cells, fixed_windows.weights, slopes)
        return value

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        derivative, cells, fixed_weights, slopes = ctx.saved_tensors
        by_moving_bin = (derivative.flatten()[cells] * fixed_weights.unsqueeze(2)).sum(1)
        return gradients[0] * (by_moving_bin * slopes).sum(1), None, None, None, None
