"""Size of the displacement: keeps a transform close to none."""

from typing import final

from elastix_impact.geometry.image import Image
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points

from .base import AbstractMetric, MetricValue
from .moving_mask import MovingMask


@final
class DisplacementMagnitude(AbstractMetric):
    """elastix's DisplacementMagnitudePenalty: the mean over samples of |T(x) - x|^2, in mm^2.

    Parameters
    ----------
    moving_mask
        Samples mapped outside of it do not count; None = all count.
    """

    def __init__(self, moving_mask: Image | None) -> None:
        self._mask = MovingMask(moving_mask)

    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """Mean squared displacement of the samples inside the moving mask."""
        moving_points = transform.map_points(world_points)
        weights = self._mask.weights(moving_points)
        total = weights.sum()
        squares = (moving_points - world_points).square().sum(1)
        return MetricValue(squares.dot(weights) / total.clamp_min(1.0), total / len(world_points), {})
