"""Samplers whose points stay the same: every voxel, or the voxels of a coarser lattice."""

import math
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Grid
from elastix_impact.typing import Points

from .base import AbstractSampler
from .voxels import index_to_world, lattice, mask_voxels, require_samples, voxel_indices


@final
class FullSampler(AbstractSampler):
    """Every voxel of the image, or of its mask.

    Parameters
    ----------
    grid
        The fixed image's grid at this level.
    mask
        Bool, (z, )y, x on the grid, or None.
    device
        Where the points are wanted.

    Raises
    ------
    InputError
        If the mask does not fit the grid or is empty.
    """

    def __init__(self, grid: Grid, mask: Tensor | None, device: torch.device | str) -> None:
        if mask is None:
            index_points = grid.index_points(torch.float32, device)
        else:
            index_points = voxel_indices(mask_voxels(grid, mask, device), grid)
        self._world_points = _to_world(index_points, grid)

    @property
    def is_random(self) -> bool:
        """No."""
        return False

    @property
    def number_of_samples(self) -> int:
        """How many voxels there are."""
        return self._world_points.shape[0]

    def draw(self, generator: torch.Generator | None = None) -> Points:
        """World points in mm (number_of_samples, D), x running fastest, always the same tensor."""
        return self._world_points


@final
class GridSampler(AbstractSampler):
    """Voxels of a regular lattice that lies in the middle of the image, or of the box around its mask.

    Parameters
    ----------
    grid, mask, device
        As for `FullSampler`.
    number_of_samples
        About how many points are wanted: the spacing is the rounded D-th root of voxels per sample, the same
        number of voxels along every axis. Where such a lattice misses a small mask, its spacing is reduced.
    spacing_voxels
        The lattice's spacing in voxels per axis x, y(, z), instead of `number_of_samples`.

    Raises
    ------
    InputError
        If the mask is unfit or empty, if a lattice of the given spacing misses it, or a spacing is below 1.
    """

    def __init__(
        self,
        grid: Grid,
        mask: Tensor | None,
        device: torch.device | str,
        *,
        number_of_samples: int | None = None,
        spacing_voxels: tuple[int, ...] | None = None,
    ) -> None:
        if (number_of_samples is None) == (spacing_voxels is None):
            raise InputError("a Grid sampler needs either a number of samples or a spacing, and not both")
        first, last = _bounding_box(grid, mask)
        if spacing_voxels is not None:
            points = _lattice_in_mask(grid, mask, first, last, spacing_voxels, device)
        else:
            assert number_of_samples is not None
            spacing = spacing_for(number_of_samples, first, last)
            points = _lattice_in_mask(grid, mask, first, last, (spacing,) * grid.dimension, device)
            while points.shape[0] == 0:
                spacing -= 1
                points = _lattice_in_mask(grid, mask, first, last, (spacing,) * grid.dimension, device)
        if points.shape[0] == 0:
            raise InputError(
                f"no voxel of the sample grid with spacing {spacing_voxels} lies in the fixed mask",
                remedy="Reduce SampleGridSpacing or take another sampler",
            )
        self._world_points = _to_world(points, grid)

    @property
    def is_random(self) -> bool:
        """No."""
        return False

    @property
    def number_of_samples(self) -> int:
        """How many lattice points lie in the mask."""
        return self._world_points.shape[0]

    def draw(self, generator: torch.Generator | None = None) -> Points:
        """World points in mm (number_of_samples, D), x running fastest, always the same tensor."""
        return self._world_points


def spacing_for(number_of_samples: int, first: tuple[int, ...], last: tuple[int, ...]) -> int:
    """Spacing in voxels at which a lattice in the box `first` to `last` has about that many points."""
    require_samples(number_of_samples)
    voxels = math.prod(b - a + 1 for a, b in zip(first, last))
    return max(1, math.floor((voxels / number_of_samples) ** (1 / len(first)) + 0.5))


def _bounding_box(grid: Grid, mask: Tensor | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """First and last index per axis x, y(, z) of the mask's voxels, or of the image."""
    if mask is None:
        return (0,) * grid.dimension, tuple(n - 1 for n in grid.size)
    indices = voxel_indices(mask_voxels(grid, mask, mask.device), grid)
    first, last = indices.amin(0).tolist(), indices.amax(0).tolist()
    return tuple(int(i) for i in first), tuple(int(i) for i in last)


def _lattice_in_mask(
    grid: Grid,
    mask: Tensor | None,
    first: tuple[int, ...],
    last: tuple[int, ...],
    spacing: tuple[int, ...],
    device: torch.device | str,
) -> Points:
    """Indices (N, D) of the lattice centred in the box that lie in the mask, possibly none."""
    if len(spacing) != grid.dimension or min(spacing) < 1:
        raise InputError(
            f"SampleGridSpacing is {spacing}",
            expected=f"{grid.dimension} whole numbers of at least 1, in voxels",
        )
    sizes = tuple(b - a + 1 for a, b in zip(first, last))
    counts = tuple(1 + (n - 1) // step for n, step in zip(sizes, spacing))
    starts = tuple(a + (n - (m - 1) * s - 1) // 2 for a, n, m, s in zip(first, sizes, counts, spacing))
    points = lattice(starts, spacing, counts, device)
    if mask is None:
        return points
    inside = mask.to(device)[points.long().flip(1).unbind(1)]
    return points[inside]


def _to_world(index_points: Points, grid: Grid) -> Points:
    origin, matrix = index_to_world(grid, index_points.device)
    return torch.addmm(origin, index_points, matrix)
