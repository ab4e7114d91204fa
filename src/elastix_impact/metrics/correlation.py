"""Normalised correlation of intensities: for images whose intensities are related linearly."""

from typing import final

import torch

from elastix_impact.geometry.image import Image
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points, Scalar

from .base import AbstractMetric, MetricValue
from .image_pair import ImagePair, Samples


@final
class NormalizedCorrelation(AbstractMetric):
    """elastix's AdvancedNormalizedCorrelation: minus Pearson's correlation of f(x) and m(T(x)), in [-1, 1].

    Means are always subtracted: elastix ignores the parameter SubtractMean since version 5.1.

    Parameters
    ----------
    fixed, moving
        The level's images, in the loop's frame and on its device.
    moving_mask
        Where the moving image counts, or None.
    fixed_order, moving_order
        Interpolation orders of the images; see `ImagePair`.

    Raises
    ------
    InputError
        If an order does not exist.
    """

    def __init__(
        self, fixed: Image, moving: Image, moving_mask: Image | None, *, fixed_order: int = 1, moving_order: int = 1
    ) -> None:
        self._images = ImagePair(fixed, moving, moving_mask, fixed_order=fixed_order, moving_order=moving_order)

    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """Minus the correlation over the samples inside the moving domain; 0 where an image is constant there."""
        samples = self._images.sample(transform, world_points)
        return MetricValue(minus_correlation(samples), samples.valid_fraction, {})


def minus_correlation(samples: Samples) -> Scalar:
    """Minus Pearson's correlation of the weighted samples; 0, with gradient 0, where a variance is 0."""
    weights = samples.weights
    fixed = (samples.fixed - samples.fixed.dot(weights) / samples.count) * weights
    moving = (samples.moving - samples.moving.dot(weights) / samples.count) * weights
    product = (fixed.dot(fixed) / samples.count) * (moving.dot(moving) / samples.count)
    defined = product > 0
    covariance = fixed.dot(moving) / samples.count
    return -torch.where(defined, covariance, 0.0) / torch.where(defined, product, 1.0).sqrt()
