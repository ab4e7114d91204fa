"""Normalised mutual information: less dependent than mutual information on how much the images overlap."""

from typing import final

import torch

from elastix_impact.geometry.image import Image
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points, Scalar

from .base import AbstractMetric, MetricValue
from .histogram import Histogram, HistogramSettings, log_or_zero
from .histogram_pair import HistogramPair


@final
class NormalizedMutualInformation(AbstractMetric):
    """elastix's NormalizedMutualInformation: minus (H(f) + H(m)) / H(f, m) of f(x) and m(T(x)), in [-2, -1].

    Studholme et al., Pattern Recognition 32(1), 1999. H are the entropies of the joint histogram and its margins.
    The derivative is the value's exact one; as for `MattesMutualInformation`, elastix's is so for cubic windows only.

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
        """Minus the normalised mutual information of the samples inside the moving domain."""
        return self._images.evaluate(transform, world_points, minus_normalized_mutual_information)


def minus_normalized_mutual_information(joint: Histogram) -> tuple[Scalar, Histogram]:
    """Minus the ratio of the margins' entropies to the joint one, and its derivative; see `Criterion`.

    0 where the joint entropy is 0: no sample, or all in one cell.
    """
    log = log_or_zero(joint)
    of_margins = log_or_zero(joint.sum(1, keepdim=True)) + log_or_zero(joint.sum(0, keepdim=True))
    entropy = -(joint * log).sum()
    entropy = torch.where(entropy > 0, entropy, torch.inf)
    value = (joint * of_margins).sum() / entropy
    return value, torch.where(joint > 0, of_margins + value * log, 0.0) / entropy
