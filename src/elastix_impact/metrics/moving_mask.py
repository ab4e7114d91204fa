"""Which mapped points count for metrics that read no image: those inside the moving mask, wherever the image ends."""

from typing import final

import torch

from elastix_impact.geometry.domain import Domain
from elastix_impact.geometry.image import Image
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points, Weights1


@final
class MovingMask:
    """A moving mask on its own grid and the loop's device, or None: every point counts."""

    def __init__(self, mask: Image | None) -> None:
        self._domain = None if mask is None else Domain.of(mask.grid, mask, mask.data.device)

    def weights(self, moving_points: Points) -> Weights1:
        """1 where a point (N, D) of the moving space counts, else 0."""
        return torch.ones_like(moving_points[:, 0]) if self._domain is None else self._domain.weights(moving_points)

    def weights_under(self, transform: AbstractTransform, world_points: Points) -> Weights1:
        """1 where the transform maps a fixed point (N, D) to one that counts; maps only if there is a mask."""
        if self._domain is None:
            return self.weights(world_points)
        with torch.no_grad():
            return self.weights(transform.map_points(world_points))
