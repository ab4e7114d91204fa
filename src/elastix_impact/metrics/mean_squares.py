"""Mean of squared differences of intensities: for images of one modality with the same intensities."""

from typing import final

from elastix_impact.geometry.image import Image
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points

from .base import AbstractMetric, MetricValue
from .image_pair import ImagePair, intensity_range


@final
class MeanSquares(AbstractMetric):
    """elastix's AdvancedMeanSquares: the mean of (m(T(x)) - f(x))^2 over the samples inside the moving image.

    Parameters
    ----------
    fixed, moving
        The level's images, in the loop's frame and on its device.
    moving_mask
        Where the moving image counts, or None.
    fixed_mask
        Only for `use_normalization`: where the fixed image counts, or None.
    use_normalization
        Whether values are divided by (largest difference that the images' ranges allow / 10)^2
        (elastix's UseNormalization).
    fixed_order, moving_order
        Interpolation orders of the images; see `ImagePair`.

    Raises
    ------
    InputError
        If an order does not exist, or `use_normalization` finds no voxel inside a mask.
    """

    def __init__(
        self,
        fixed: Image,
        moving: Image,
        moving_mask: Image | None,
        *,
        fixed_mask: Image | None = None,
        use_normalization: bool = False,
        fixed_order: int = 1,
        moving_order: int = 1,
    ) -> None:
        self._images = ImagePair(fixed, moving, moving_mask, fixed_order=fixed_order, moving_order=moving_order)
        self._factor = _normalization(fixed, moving, fixed_mask, moving_mask) if use_normalization else 1.0

    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """Mean squared difference at the samples inside the moving domain."""
        samples = self._images.sample(transform, world_points)
        difference = (samples.moving - samples.fixed) * samples.weights
        value = difference.dot(difference) * (self._factor / samples.count)
        return MetricValue(value, samples.valid_fraction, {})


def _normalization(fixed: Image, moving: Image, fixed_mask: Image | None, moving_mask: Image | None) -> float:
    """100 over the square of the largest difference of a fixed and a moving intensity; 1 where there is none."""
    fixed_low, fixed_high = intensity_range(fixed, fixed_mask)
    moving_low, moving_high = intensity_range(moving, moving_mask)
    largest = max(fixed_high - moving_low, moving_high - fixed_low)
    return 100.0 / largest**2 if largest > 1e-10 else 1.0
