"""A sampler that draws its positions from another box inside the image at every call."""

from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Grid, Row
from elastix_impact.typing import Flags, Points

from .base import AbstractSampler
from .domain import SampleDomain
from .voxels import uniform

CANDIDATES_PER_SAMPLE = 2
"""With a mask so many positions are tried per sample: enough if half of the box is in the mask."""


@final
class RandomRegionSampler(AbstractSampler):
    """Positions uniform in a box of fixed size that lies elsewhere at every draw (``UseRandomSampleRegion``).

    Without a mask the box is uniform among those inside the image. With a mask it is put around a random
    voxel of the mask and the positions are uniform among those in box and mask; where few of the candidates
    are in the mask, positions repeat, so that the number of points stays the same.

    Parameters
    ----------
    grid, mask, number_of_samples, device
        As for `RandomSampler`.
    region_size
        Size of the box in mm along the axes x, y(, z) of the image; None = `default_region_size`.

    Raises
    ------
    InputError
        As for `RandomSampler`, and if the box is larger than the image.
    """

    def __init__(
        self,
        grid: Grid,
        mask: Tensor | None,
        number_of_samples: int,
        device: torch.device | str,
        region_size: Row | None = None,
    ) -> None:
        self._domain = SampleDomain.of(grid, mask, number_of_samples, device)
        size = default_region_size(grid) if region_size is None else region_size
        _check_region_size(grid, size)
        self._mask = None if mask is None else mask.to(device).flatten()
        self._box = torch.tensor([mm / s for mm, s in zip(size, grid.spacing)], dtype=torch.float32, device=device)
        self._room = (self._domain.last - self._box).clamp(min=0)

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
        domain, dimension = self._domain, self._domain.grid.dimension
        if self._mask is None:
            numbers = uniform((domain.count + 1, dimension), domain.device, generator)
            index_points = torch.addcmul(numbers[-1] * self._room, numbers[:-1], self._box)
        else:
            centre = domain.draw_voxels(1, generator)
            corner = torch.minimum((centre - self._box / 2).clamp(min=0), self._room)
            numbers = uniform((domain.count * CANDIDATES_PER_SAMPLE, dimension), domain.device, generator)
            index_points = torch.minimum(torch.addcmul(corner, numbers, self._box), domain.last)
            chosen = choose_inside(self._is_in_mask(index_points), domain.count)
            index_points = torch.cat([index_points, centre]).index_select(0, chosen)
        return domain.to_world(torch.minimum(index_points, domain.last))

    def _is_in_mask(self, index_points: Tensor) -> Tensor:
        """Whether the voxels nearest to the positions (N, D) are in the mask."""
        assert self._mask is not None
        voxels, stride = index_points.new_zeros(index_points.shape[0], dtype=torch.int64), 1
        for axis, size in enumerate(self._domain.grid.size):
            voxels += index_points[:, axis].add(0.5).long() * stride
            stride *= size
        return self._mask.index_select(0, voxels)


def choose_inside(inside: Flags, count: int) -> Tensor:
    """Places (count,) of true entries of `inside`, repeated if there are too few; N if there is none.

    No entry is selected by a mask, so that shapes are fixed and a GPU is not kept waiting for its host.
    """
    found = inside.cumsum(0)
    turn = torch.arange(count, device=inside.device).remainder(found[-1].clamp(min=1))
    return torch.searchsorted(found, turn + 1)


def default_region_size(grid: Grid) -> Row:
    """The default box in mm, elastix's: a third of the image's longest side, but no more than each side."""
    sides = tuple((n - 1) * s for n, s in zip(grid.size, grid.spacing))
    return tuple(min(max(sides) / 3, side) for side in sides)


def _check_region_size(grid: Grid, size: Row) -> None:
    sides = tuple((n - 1) * s for n, s in zip(grid.size, grid.spacing))
    if len(size) != grid.dimension or any(mm < 0 or mm > side * (1 + 1e-6) for mm, side in zip(size, sides)):
        raise InputError(
            f"a SampleRegionSize of {size} mm does not fit the fixed image",
            expected=f"{grid.dimension} numbers, at most {tuple(round(side, 3) for side in sides)} mm",
            remedy="Take about a third of the image's size",
        )
