"""An image seen through a transform: the moving image on the fixed image's grid."""

import torch
from torch import Tensor

from elastix_impact.geometry.field import ScalarField
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.interpolate import grid_chunks, is_inside
from elastix_impact.typing import Volume

from .base import AbstractTransform

LABEL_CHUNK = 1 << 17
"""Voxels handled at once."""


def resample(image: Image, transform: AbstractTransform, grid: Grid, order: int, default_value: float) -> Volume:
    """`image` at the mapped voxels of `grid`, float32, axes (z, )y, x, on the image's device.

    Parameters
    ----------
    transform
        Map from the world points of `grid` to those of `image`, in mm.
    order
        0 nearest, 1 linear, 2 or 3 B-spline (mirror boundaries).
    default_value
        Where the mapped point lies outside the image, i.e. its index outside [-0.5, size - 0.5).

    Notes
    -----
    The arithmetic is float32 in a world whose origin is the centre of `grid`, as in the registration itself.
    """
    device = image.data.device
    offset = tuple(-c for c in grid.centre)
    local = image.shifted(offset)
    field = ScalarField.from_volume(local.data.float(), local.grid, order)
    moved = transform.shifted(offset).to(torch.float32, device).without_gradients()
    pieces = []
    with torch.no_grad():
        for world_points in grid_chunks(grid.shifted(offset), device):
            mapped = moved.map_points(world_points)
            inside = is_inside(field.index_points(mapped), local.grid)
            pieces.append(torch.where(inside, field.values(mapped)[:, 0], default_value))
    return torch.cat(pieces).reshape(grid.shape)


def resample_labels(labels: Image, transform: AbstractTransform, grid: Grid, default_value: float) -> Tensor:
    """The nearest label at the mapped voxels of `grid`: the same numbers in the same dtype, axes (z, )y, x.

    Parameters
    ----------
    transform
        Map from the world points of `grid` to those of `labels`, in mm.
    default_value
        Where the mapped point lies outside the image, i.e. its index outside [-0.5, size - 0.5).

    Notes
    -----
    The arithmetic is float64 on the CPU. A point half-way between two voxels takes the one with the higher index.
    """
    transform, values = transform.to(torch.float64).without_gradients(), labels.data.flatten()
    sizes = torch.tensor(labels.grid.size)
    strides = torch.tensor(labels.grid.strides)
    pieces = []
    with torch.no_grad():
        for places in torch.arange(grid.number_of_voxels).split(LABEL_CHUNK):
            mapped = transform.map_points(grid.voxel_points(places))
            nearest = labels.grid.to_index(mapped).add(0.5).floor()
            inside = ((nearest >= 0) & (nearest < sizes)).all(dim=1)
            row = (torch.where(inside.unsqueeze(1), nearest, 0.0).long() * strides).sum(dim=1)
            pieces.append(torch.where(inside, values[row], torch.as_tensor(default_value, dtype=values.dtype)))
    return torch.cat(pieces).reshape(grid.shape)
