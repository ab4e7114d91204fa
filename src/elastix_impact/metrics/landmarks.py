"""Distance of corresponding landmarks: brings known points together."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.errors import LandmarkError
from elastix_impact.geometry.image import Image
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points

from .base import AbstractMetric, MetricValue
from .moving_mask import MovingMask


@final
class LandmarkDistance(AbstractMetric):
    """elastix's CorrespondingPointsEuclideanDistanceMetric: the mean of |T(p_fixed) - p_moving| in mm.

    All landmarks are used at every evaluation; the sampler's points are not.

    Parameters
    ----------
    moving_mask
        Landmarks mapped outside of it do not count; None = all count.
    fixed_landmarks, moving_landmarks
        Corresponding world points (N, D) in mm, in the loop's frame and on its device.

    Raises
    ------
    LandmarkError
        If there are none, or not as many fixed as moving ones.
    """

    def __init__(
        self, moving_mask: Image | None, *, fixed_landmarks: Points, moving_landmarks: Float[Tensor, "M D"]
    ) -> None:
        if len(fixed_landmarks) != len(moving_landmarks):
            raise LandmarkError(
                f"{len(fixed_landmarks)} fixed and {len(moving_landmarks)} moving landmarks",
                expected="as many moving as fixed landmarks, in the same order",
            )
        if len(fixed_landmarks) == 0:
            raise LandmarkError(
                "there are no landmarks for CorrespondingPointsEuclideanDistanceMetric",
                expected="at least one point in both files",
            )
        self._mask = MovingMask(moving_mask)
        self._fixed, self._moving = fixed_landmarks, moving_landmarks

    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """Mean distance of the mapped fixed landmarks inside the moving mask from the moving ones.

        `valid_fraction` is 1: elastix does not ask how many landmarks count.
        """
        del world_points
        mapped = transform.map_points(self._fixed)
        weights = self._mask.weights(mapped)
        distances = torch.linalg.vector_norm(mapped - self._moving, dim=1)
        value = distances.dot(weights) / weights.sum().clamp_min(1.0)
        return MetricValue(value, torch.ones_like(value.detach()), {})
