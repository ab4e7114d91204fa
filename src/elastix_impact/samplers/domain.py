"""Where random samples are drawn from: what the random samplers make once per level."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.typing import Points

from .voxels import FlatIndices, index_to_world, last_index, mask_voxels, random_below, require_samples, voxel_indices


@final
@dataclass(frozen=True, eq=False)
class SampleDomain:
    """The voxels of an image, or of its mask, on the device where points are wanted.

    Attributes
    ----------
    grid
        The fixed image's grid at this level.
    count
        Points per draw.
    voxels
        Those of the mask, ascending; None = all of the image.
    origin, matrix
        World points are ``index_points @ matrix + origin``: (D,) and (D, D), float32.
    last
        Index (D,) of the last voxel, float32.
    """

    grid: Grid
    count: int
    voxels: FlatIndices | None
    origin: Tensor
    matrix: Tensor
    last: Tensor

    @staticmethod
    def of(grid: Grid, mask: Tensor | None, number_of_samples: int, device: torch.device | str) -> "SampleDomain":
        """The domain of a `mask` (bool, (z, )y, x) on `grid`, or of the whole image.

        Raises
        ------
        InputError
            If the mask does not fit the grid or is empty, or no sample is asked for.
        """
        require_samples(number_of_samples)
        voxels = None if mask is None else mask_voxels(grid, mask, device)
        return SampleDomain(grid, number_of_samples, voxels, *index_to_world(grid, device), last_index(grid, device))

    @property
    def device(self) -> torch.device:
        """Where the points are wanted."""
        return self.origin.device

    def draw_voxels(self, count: int, generator: torch.Generator | None) -> Points:
        """Indices (count, D) of voxels drawn with replacement, all with the same probability, float32."""
        if self.voxels is None:
            drawn = random_below(self.grid.number_of_voxels, count, self.device, generator)
        else:
            drawn = self.voxels.index_select(0, random_below(self.voxels.numel(), count, self.device, generator))
        return voxel_indices(drawn, self.grid)

    def to_world(self, index_points: Points) -> Points:
        """World points in mm (N, D) of positions (N, D) in voxels."""
        return torch.addmm(self.origin, index_points, self.matrix)
