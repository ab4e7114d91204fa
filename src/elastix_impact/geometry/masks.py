"""Masks on other grids, and masks made smaller so that smoothing does not reach across their border."""

import math
from typing import Literal

import torch
from torch import Tensor

from .grid import Grid, Row
from .image import Image


def mask_on(grid: Grid, mask: Image) -> Tensor:
    """The mask's nearest value at the voxels of `grid`, bool of shape `grid.shape`; false outside the mask."""
    if mask.grid.same_as(grid):
        return mask.data.bool()
    index_points = mask.grid.to_index(grid.world_points()).add(0.5).floor().long()
    inside = torch.ones(index_points.shape[0], dtype=torch.bool)
    position = torch.zeros(index_points.shape[0], dtype=torch.int64)
    stride = 1
    for axis, size in enumerate(mask.grid.size):
        index = index_points[:, axis]
        inside &= (index >= 0) & (index < size)
        position += index.clamp(0, size - 1) * stride
        stride *= size
    values = mask.data.bool().flatten()[position.to(mask.data.device)]
    return (values & inside.to(values.device)).reshape(grid.shape)


def index_box(mask: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """First and last index, axes (z, )y, x, of the true voxels of a bool volume; None if there are none."""
    if not bool(mask.any()):
        return None
    bounds = []
    for axis in range(mask.ndim):
        occupied = mask.movedim(axis, 0).flatten(1).any(1).nonzero()
        bounds.append((int(occupied[0]), int(occupied[-1])))
    return tuple(first for first, _ in bounds), tuple(last for _, last in bounds)


def erosion_scale(shrink_factor: Row, role: Literal["fixed", "moving"]) -> Row:
    """Elastix's erosion scale per axis for a pyramid factor: the moving mask loses twice as much."""
    reach = [(factor if role == "fixed" else 2 * factor) + 1 for factor in shrink_factor]
    return tuple(r * r / 2 + 1 for r in reach)


def erode(mask: Image, scale: Row) -> Image:
    """The mask without the voxels closer to its outside than an ellipsoid.

    Voxel x is lost when a voxel y outside the mask has sum_i (x_i - y_i)^2 / (2 scale_i) < 1; the border of the
    image does not erode. This is what a parabolic erosion of a 0/1 image does (van den Boomgaard, 1992).

    Parameters
    ----------
    scale
        Per axis x, y(, z) in voxels squared; the half axis of the ellipsoid is sqrt(2 scale).
    """
    distance = torch.where(mask.data.bool(), math.inf, 0.0)
    for axis, s in enumerate(scale):
        distance = _parabolic_minimum(distance, distance.ndim - 1 - axis, s)
    return Image(distance >= 1, mask.grid, mask.name, mask.pixel_type)


def grow(mask: Image, margin: float) -> Image:
    """The mask with the voxels of its grid that lie closer to it than `margin` mm."""
    if margin == 0:
        return mask
    outside = Image(~mask.data.bool(), mask.grid, mask.name, mask.pixel_type)
    return Image(~shrink(outside, margin).data, mask.grid, mask.name, mask.pixel_type)


def shrink(mask: Image, margin: float) -> Image:
    """The mask without the voxels closer than `margin` mm to its outside; the border of the image does not count."""
    return erode(mask, tuple((margin / spacing) ** 2 / 2 for spacing in mask.grid.spacing))


def _parabolic_minimum(values: Tensor, dim: int, scale: float) -> Tensor:
    """Min over shifts k along `dim` of values shifted by k plus k^2 / (2 scale), as far as that is below 1."""
    result = values.clone()
    length = values.shape[dim]
    for k in range(1, min(math.ceil(math.sqrt(2 * scale)), length - 1) + 1):
        raised = values + k * k / (2 * scale)
        low, high = result.narrow(dim, 0, length - k), result.narrow(dim, k, length - k)
        torch.minimum(low, raised.narrow(dim, k, length - k), out=low)
        torch.minimum(high, raised.narrow(dim, 0, length - k), out=high)
    return result
