"""Samplers that draw other points at every call: voxel centres or any positions, in the image or its mask."""

from typing import final

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.typing import Points

from .base import AbstractSampler
from .domain import SampleDomain
from .voxels import uniform


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
        self._domain = SampleDomain.of(grid, mask, number_of_samples, device)

    @property
    def is_random(self) -> bool:
        """Yes."""
        return True

    @property
    def number_of_samples(self) -> int:
        """Points per draw."""
        return self._domain.count

    def draw(self, generator: torch.Generator | None = None) -> Points:
        """World points in mm (number_of_samples, D)."""
        return self._domain.to_world(self._domain.draw_voxels(self._domain.count, generator))


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
        self._domain = SampleDomain.of(grid, mask, number_of_samples, device)
        self._extent_matrix = self._domain.last.unsqueeze(1) * self._domain.matrix

    @property
    def is_random(self) -> bool:
        """Yes."""
        return True

    @property
    def number_of_samples(self) -> int:
        """Points per draw."""
        return self._domain.count

    def draw(self, generator: torch.Generator | None = None) -> Points:
        """World points in mm (number_of_samples, D)."""
        domain = self._domain
        jitter = uniform((domain.count, domain.grid.dimension), domain.device, generator)
        if domain.voxels is None:
            return torch.addmm(domain.origin, jitter, self._extent_matrix)
        index_points = (domain.draw_voxels(domain.count, generator) + jitter).sub_(0.5).abs_()
        index_points = domain.last - (domain.last - index_points).abs_()
        return domain.to_world(index_points.abs_())
