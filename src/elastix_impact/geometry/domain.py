"""Which world points count: inside an image and, if there is one, inside a mask."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.typing import Points, Weights1

from .grid import Frame, Grid, apply_matrix
from .image import Image
from .interpolate import is_inside


@final
@dataclass(frozen=True, eq=False)
class Domain:
    """The part of space covered by an image and its mask.

    Attributes
    ----------
    grid
        The image's grid; a point is inside when its continuous index lies in [-0.5, size - 0.5).
    mask
        Mask on its own grid, or None. Its voxel nearest to a point decides.
    """

    grid: Grid
    mask: Image | None
    _world_to_index: Tensor
    _mask_world_to_index: Tensor | None
    _mask_values: Tensor | None

    @staticmethod
    def of(grid: Grid, mask: Image | None, device: torch.device | str) -> "Domain":
        """The domain of an image on `grid` with `mask`, for float32 points on `device`."""
        matrix = grid.matrix(Frame.WORLD, Frame.INDEX).to(dtype=torch.float32, device=device)
        if mask is None:
            return Domain(grid, None, matrix, None, None)
        mask_matrix = mask.grid.matrix(Frame.WORLD, Frame.INDEX).to(dtype=torch.float32, device=device)
        return Domain(grid, mask, matrix, mask_matrix, mask.data.flatten().to(dtype=torch.float32, device=device))

    def weights(self, world_points: Points) -> Weights1:
        """1 where a point (N, D) counts, else 0, in the points' dtype; no gradient flows through it."""
        world_points = world_points.detach()
        inside = is_inside(apply_matrix(self._world_to_index, world_points), self.grid).to(world_points.dtype)
        if self.mask is None or self._mask_values is None or self._mask_world_to_index is None:
            return inside
        index_points = apply_matrix(self._mask_world_to_index, world_points)
        return inside * is_inside(index_points, self.mask.grid) * self._nearest_mask_value(index_points)

    def _nearest_mask_value(self, index_points: Tensor) -> Tensor:
        assert self.mask is not None
        assert self._mask_values is not None
        nearest = (index_points + 0.5).floor().long()
        flat = torch.zeros_like(nearest[:, 0])
        stride = 1
        for axis, size in enumerate(self.mask.grid.size):
            flat = flat + nearest[:, axis].clamp(0, size - 1) * stride
            stride *= size
        return self._mask_values[flat].to(index_points.dtype)
