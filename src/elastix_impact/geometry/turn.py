"""An image on a grid with other axes: as a network has to see it to compare it with one that lies turned against it."""

import math
from dataclasses import replace
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from .field import ScalarField
from .grid import Grid, Row
from .image import Image
from .interpolate import grid_chunks
from .orient import reoriented

Direction = tuple[Row, ...]

SMALL_TURN = math.radians(2.0)
"""Turns below this are left alone: what interpolating costs is more than what they do to features."""


def nearest_rotation(matrix: Float[Tensor, "D D"]) -> Float[Tensor, "D D"]:
    """The rotation nearest to a matrix in the least-squares sense. Kabsch, Acta Cryst. A32, 1976."""
    u, _, v = torch.linalg.svd(matrix.double().cpu())
    signs = torch.ones(len(matrix), dtype=torch.float64)
    signs[-1] = torch.sign(torch.linalg.det(u @ v))
    return u @ torch.diag(signs) @ v


def angle_between(one: Direction, other: Direction) -> float:
    """The angle in radians of the rotation from one set of axes to another; pi if one is mirrored."""
    turn = torch.tensor(one, dtype=torch.float64).T @ torch.tensor(other, dtype=torch.float64)
    if float(torch.linalg.det(turn)) < 0:
        return math.pi
    cosine = (float(turn.trace()) - len(one) + 2) / 2
    return math.acos(min(1.0, max(-1.0, cosine)))


def with_axes_like(image: Image, direction: Direction, order: int) -> Image:
    """`image` with axes that point like `direction`, in mm still where it was.

    Axes are permuted and flipped as far as that helps; what is left is interpolated with splines of `order` onto a grid
    that covers the image, unless it is a small turn. Beyond the image its outermost values are held (or mirrored).

    Parameters
    ----------
    direction
        Rows of the direction cosines wanted, see `Grid`.
    """
    stored = reoriented(image, direction)
    turn = angle_between(stored.grid.direction, direction)
    # Axes of the other handedness can't be reached by turning: they stay stored as they are.
    if turn < SMALL_TURN or turn == math.pi:
        return stored
    grid = _covering(stored.grid, direction)
    field = ScalarField.from_volume(stored.data.float(), stored.grid, order)
    values = [field.values(points)[:, 0] for points in grid_chunks(grid, stored.data.device)]
    return Image(torch.cat(values).reshape(grid.shape), grid, image.name, image.pixel_type)


def _covering(grid: Grid, direction: Direction) -> Grid:
    """The smallest grid with these axes and the same spacing that holds all voxel centres of `grid`."""
    last = [n - 1 for n in grid.size]
    corners = torch.tensor(list(product(*((0.0, float(n)) for n in last))), dtype=torch.float64)
    axes = torch.tensor(direction, dtype=torch.float64)
    along = grid.to_world(corners) @ axes
    low, high = along.amin(0), along.amax(0)
    spacing = torch.tensor(grid.spacing, dtype=torch.float64)
    size = tuple(int(n) + 1 for n in ((high - low) / spacing).round().tolist())
    return replace(grid, size=size, origin=tuple((axes @ low).tolist()), direction=direction)
