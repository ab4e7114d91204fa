"""The same image with its axes stored in another order: no value changes, no voxel moves in the world."""

from itertools import permutations

import torch

from .grid import Grid, Row
from .image import Image


def reoriented(image: Image, direction: tuple[Row, ...]) -> Image:
    """`image` with its axes permuted and flipped so that they point as nearly as possible like `direction`.

    A network sees voxel axes, not the world. It compares a volume stored feet first or slice first with another
    only if both are stored alike. Rotations by less than half a right angle stay.

    Parameters
    ----------
    direction
        Rows of the direction cosines wanted, see `Grid`.
    """
    order, flips = _order_and_flips(image.grid, direction)
    if order == tuple(range(image.grid.dimension)) and not any(flips):
        return image
    return Image(_data(image, order, flips), _grid(image.grid, order, flips), image.name, image.pixel_type)


def reoriented_grid(grid: Grid, direction: tuple[Row, ...]) -> Grid:
    """The same voxels in the order of axes that `reoriented` gives an image on `grid`."""
    return _grid(grid, *_order_and_flips(grid, direction))


def _order_and_flips(grid: Grid, direction: tuple[Row, ...]) -> tuple[tuple[int, ...], list[bool]]:
    """Which old axis each new one lies along, and whether it runs the other way."""
    dimension = grid.dimension
    wanted = torch.tensor(direction, dtype=torch.float64)
    agreement = wanted.T @ torch.tensor(grid.direction, dtype=torch.float64)
    order = max(
        permutations(range(dimension)), key=lambda p: sum(abs(float(agreement[k, p[k]])) for k in range(dimension))
    )
    return order, [float(agreement[k, axis]) < 0 for k, axis in enumerate(order)]


def _data(image: Image, order: tuple[int, ...], flips: list[bool]) -> torch.Tensor:
    """The voxels with new axis k (x first) along old axis `order[k]`; tensor axes run the other way round."""
    dimension = image.grid.dimension
    permuted = image.data.permute([dimension - 1 - axis for axis in reversed(order)])
    return permuted.flip([dimension - 1 - k for k, flip in enumerate(flips) if flip]).contiguous()


def _grid(grid: Grid, order: tuple[int, ...], flips: list[bool]) -> Grid:
    first = torch.zeros(1, grid.dimension, dtype=torch.float64)
    for axis, flip in zip(order, flips):
        first[0, axis] = grid.size[axis] - 1 if flip else 0
    signs = [-1.0 if flip else 1.0 for flip in flips]
    return Grid(
        size=tuple(grid.size[axis] for axis in order),
        spacing=tuple(grid.spacing[axis] for axis in order),
        origin=tuple(grid.to_world(first)[0].tolist()),
        direction=tuple(tuple(row[axis] * sign for axis, sign in zip(order, signs)) for row in grid.direction),
    )
