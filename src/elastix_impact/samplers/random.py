"""Samplers that draw other points at every call: voxel centres or any positions, in the image or its mask."""

from typing import final

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.typing import Points

from .base import AbstractSampler
from .voxels import (
    index_to_world,
    last_index,
    mask_voxels,
    random_below,
    require_samples,
    uniform,
    voxel_indices,
)


@final
class RandomSampler(AbstractSampler):
    """Voxel centres drawn with replacement, all with the same probability.

    With a mask the voxels are drawn from a list of those inside, so that a thin mask costs no more than a
    wide one; elastix's ``Random`` and ``RandomSparseMask`` are therefore the same here.

    Parameters
    ----------
    grid
        The fixed image's grid at this level.
    mask
        Bool, (z, )y, x on the grid, or None.
    number_of_samples
        Points per draw, at least 1.
    device
        Where the points are wanted.

    Raises
    ------
    InputError
        If the mask does not fit the grid or is empty, or no sample is asked for.
    """

    def __init__(self, grid: Grid, mask: Tensor | None, number_of_samples: int, device: torch.device | str) -> None:
        require_samples(number_of_samples)
        self._count = number_of_samples
        self._grid = grid
        self._voxels = None if mask is None else mask_voxels(grid, mask, device)
        self._origin, self._matrix = index_to_world(grid, device)

    @property
    def is_random(self) -> bool:
        """Yes."""
        return True

    @property
    def number_of_samples(self) -> int:
        """Points per draw."""
        return self._count

    def draw(self, generator: torch.Generator | None = None) -> Points:
        """World points in mm (number_of_samples, D)."""
        voxels = draw_voxels(self._voxels, self._grid, self._count, self._origin.device, generator)
        return torch.addmm(self._origin, voxel_indices(voxels, self._grid), self._matrix)


@final
class RandomCoordinateSampler(AbstractSampler):
    """Positions between the voxels, uniform between the first and the last voxel centre of every axis.

    With a mask: uniform in the cubes of its voxels. What would lie beyond the outermost voxel centres of the
    image is mirrored back, so that every position can be interpolated.

    Parameters
    ----------
    grid, mask, number_of_samples, device
        As for `RandomSampler`.

    Raises
    ------
    InputError
        As for `RandomSampler`.
    """

    def __init__(self, grid: Grid, mask: Tensor | None, number_of_samples: int, device: torch.device | str) -> None:
        require_samples(number_of_samples)
        self._count = number_of_samples
        self._grid = grid
        self._voxels = None if mask is None else mask_voxels(grid, mask, device)
        self._origin, self._matrix = index_to_world(grid, device)
        self._last = last_index(grid, device)
        self._extent_matrix = self._last.unsqueeze(1) * self._matrix

    @property
    def is_random(self) -> bool:
        """Yes."""
        return True

    @property
    def number_of_samples(self) -> int:
        """Points per draw."""
        return self._count

    def draw(self, generator: torch.Generator | None = None) -> Points:
        """World points in mm (number_of_samples, D)."""
        device = self._origin.device
        jitter = uniform((self._count, self._grid.dimension), device, generator)
        if self._voxels is None:
            return torch.addmm(self._origin, jitter, self._extent_matrix)
        voxels = draw_voxels(self._voxels, self._grid, self._count, device, generator)
        index_points = (voxel_indices(voxels, self._grid) + jitter).sub_(0.5).abs_()
        index_points = self._last - (self._last - index_points).abs_()
        return torch.addmm(self._origin, index_points.abs_(), self._matrix)


def draw_voxels(
    voxels: Tensor | None, grid: Grid, count: int, device: torch.device, generator: torch.Generator | None
) -> Tensor:
    """`count` places in the flattened volume, drawn with replacement from `voxels`, or from all if None."""
    if voxels is None:
        return random_below(grid.number_of_voxels, count, device, generator)
    return voxels.index_select(0, random_below(voxels.numel(), count, device, generator))
