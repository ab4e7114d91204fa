"""Mutual information: for images of different modalities."""

from typing import final

import torch

from elastix_impact.geometry.image import Image
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points, Scalar

from .base import AbstractMetric, MetricValue
from .histogram import Histogram, HistogramSettings, log_or_zero
from .histogram_pair import HistogramPair


@final
class MattesMutualInformation(AbstractMetric):
    """elastix's AdvancedMattesMutualInformation: minus the mutual information of f(x) and m(T(x)) in nats.

    Mattes et al., IEEE TMI 22(1), 2003. The derivative is the value's exact one. So is elastix's for cubic moving
    windows, its default; for MovingKernelBSplineOrder 1 and 2 its derivative kernels take a signed distance where an
    absolute one is meant, which turns the direction round, and there we differ.

    Parameters
    ----------
    fixed, moving
        The level's images, in the loop's frame and on its device.
    moving_mask, fixed_mask
        Where the images count, or None. The histogram covers the intensities inside.
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
        settings: HistogramSettings,
        fixed_order: int = 1,
        moving_order: int = 1,
    ) -> None:
        self._images = HistogramPair(
            fixed, moving, moving_mask,
            fixed_mask=fixed_mask, settings=settings, fixed_order=fixed_order, moving_order=moving_order,
        )  # fmt: skip

    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """Minus the mutual information of the samples inside the moving domain."""
        return self._images.evaluate(transform, world_points, minus_mutual_information)


def minus_mutual_information(joint: Histogram) -> tuple[Scalar, Histogram]:
    """Minus sum p log(p / (p_fixed p_moving)) of a joint distribution, and its derivative; see `Criterion`."""
    of_margins = log_or_zero(joint.sum(1, keepdim=True)) + log_or_zero(joint.sum(0, keepdim=True))
    ratio = torch.where(joint > 0, of_margins - log_or_zero(joint), 0.0)
    return (joint * ratio).sum(), ratio
