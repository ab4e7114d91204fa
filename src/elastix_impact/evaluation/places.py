"""At which voxels of an image a measure is taken: all of them, or every nth along each axis."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.masks import mask_on

MOST_VOXELS = 1 << 19
"""Voxels of a measure that is taken with every run."""


@final
@dataclass(frozen=True, eq=False)
class Places:
    """Voxels of a grid.

    Attributes
    ----------
    flat
        Places (N,) in the flat volume, x running fastest.
    step
        Every nth voxel along each axis.
    """

    grid: Grid
    flat: Tensor
    step: int
    in_mask: bool

    @cached_property
    def world_points(self) -> Tensor:
        """World points in mm, float64 (N, D)."""
        return self.grid.voxel_points(self.flat)


def places_in(grid: Grid, mask: Image | None, most: int = MOST_VOXELS) -> Places:
    """Voxels of a grid, in the mask if there is one: as few steps apart as keeps them at most `most`."""
    inside = torch.ones(grid.shape, dtype=torch.bool) if mask is None else mask_on(grid, mask)
    step = 1
    chosen = inside.flatten().nonzero()[:, 0]
    while len(chosen) > most:
        step += 1
        sparse = torch.zeros_like(inside)
        every = (slice(None, None, step),) * grid.dimension
        sparse[every] = inside[every]
        chosen = sparse.flatten().nonzero()[:, 0]
    return Places(grid, chosen, step, mask is not None)
