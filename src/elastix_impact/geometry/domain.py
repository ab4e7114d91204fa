"""Which world points count: inside an image and, if there is one, inside a mask."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.typing import Points, Weights1

from .grid import Frame, Grid
from .image import Image


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
    _box: "_Box"
    _mask_box: "_Box | None"
    _mask_values: Tensor | None

    @staticmethod
    def of(grid: Grid, mask: Image | None, device: torch.device | str) -> "Domain":
        """The domain of an image on `grid` with `mask`, for float32 points on `device`."""
        box = _Box.of(grid, device)
        if mask is None:
            return Domain(grid, None, box, None, None)
        values = mask.data.flatten().to(dtype=torch.float32, device=device)
        return Domain(grid, mask, box, _Box.of(mask.grid, device), values)

    def weights(self, world_points: Points) -> Weights1:
        """1 where a point (N, D) counts, else 0, in the points' dtype; no gradient flows through it."""
        world_points = world_points.detach()
        inside = self._box.contains(self._box.index_rows(world_points)).to(world_points.dtype)
        if self.mask is None or self._mask_values is None or self._mask_box is None:
            return inside
        index_rows = self._mask_box.index_rows(world_points)
        nearest = (index_rows + 0.5).floor().int()
        place, stride = torch.zeros_like(nearest[0]), 1
        for along, size in zip(nearest, self.mask.grid.size):
            place, stride = place + along.clamp(0, size - 1) * stride, stride * size
        values = self._mask_values.index_select(0, place).to(inside.dtype)
        return inside * self._mask_box.contains(index_rows) * values


@final
@dataclass(frozen=True, eq=False)
class _Box:
    """A grid's extent on a device. Points are (D, N) here, a row per axis: sums over axes are sums of whole rows."""

    world_to_index: Tensor
    size: Tensor

    @staticmethod
    def of(grid: Grid, device: torch.device | str) -> "_Box":
        matrix = grid.matrix(Frame.WORLD, Frame.INDEX)[:-1]
        size = torch.tensor(grid.size).unsqueeze(1)
        return _Box(matrix.to(torch.float32).to(device), size.to(torch.float32).to(device))

    def index_rows(self, world_points: Tensor) -> Tensor:
        """Continuous indices (D, N) of world points (N, D)."""
        matrix = self.world_to_index.to(world_points.dtype)
        return torch.addmm(matrix[:, -1:], matrix[:, :-1], world_points.T)

    def contains(self, index_rows: Tensor) -> Tensor:
        """Which of the points lie in [-0.5, size - 0.5) along every axis."""
        return ((index_rows >= -0.5) & (index_rows < self.size - 0.5)).all(0)
