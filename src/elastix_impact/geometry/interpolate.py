"""Images on other grids: inside or outside, resizing along the axes, and the points of a grid piece by piece."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from elastix_impact.typing import Flags, Points

from .bspline import apply_along, mirrored, prefilter
from .grid import Frame, Grid, Row, flip_axis_order
from .kernels import kernel_taps


def held_or_mirrored(index: Int[Tensor, "..."], size: int, order: int) -> Int[Tensor, "..."]:
    """Indices brought back into [0, size): mirrored at the end voxels for splines, else held there."""
    return index.clamp(0, size - 1) if order < 2 else mirrored(index, size)


def is_inside(index_points: Points, grid: Grid) -> Flags:
    """Whether continuous indices (N, D) lie in the image: in [-0.5, size - 0.5) along every axis."""
    size = torch.tensor(grid.size, dtype=index_points.dtype, device=index_points.device)
    return ((index_points >= -0.5) & (index_points < size - 0.5)).all(1)


def resize(
    volume: Float[Tensor, "*spatial"], size: tuple[int, ...], step: Row, order: int
) -> Float[Tensor, "*resized"]:
    """`volume` ((z, )y, x) at indices i * step, i < size, along each axis; `size`, `step` ordered x, y(, z).

    Separable: one small matrix per axis. Beyond the last voxel values are held (orders 0, 1) or mirrored.
    """
    dimension = volume.ndim
    result = prefilter(volume.unsqueeze(0), order, dims=dimension)[0] if order > 1 else volume
    for axis, (count, distance) in enumerate(zip(size, step)):
        matrix = _axis_matrix(volume.shape[dimension - 1 - axis], count, distance, order)
        result = apply_along(matrix, result, dimension - 1 - axis)
    return result


def _axis_matrix(source: int, target: int, step: float, order: int) -> Tensor:
    positions = torch.arange(target, dtype=torch.float64).mul(step).unsqueeze(1)
    start, weights, _ = kernel_taps(positions, order, derivatives=False)
    index = held_or_mirrored(start + torch.arange(order + 1), source, order)
    return torch.zeros(target, source, dtype=torch.float64).scatter_add_(1, index, weights[:, 0])


def grid_chunks(grid: Grid, device: torch.device | str) -> Iterator[Points]:
    """World points of all voxels of `grid` in float32, a few hundred thousand at a time."""
    dimension = grid.dimension
    rows = max(1, (1 << 18) // max(1, grid.size[0] * (grid.size[1] if dimension == 3 else 1)))
    matrix = grid.matrix(Frame.INDEX, Frame.WORLD).to(torch.float32).to(device)
    planes = torch.arange(grid.shape[0], device=device, dtype=torch.float32).split(rows)
    others = [torch.arange(n, device=device, dtype=torch.float32) for n in grid.shape[1:]]
    for plane in planes:
        zyx = torch.stack(torch.meshgrid(plane, *others, indexing="ij"), dim=-1).reshape(-1, dimension)
        yield torch.addmm(matrix[:dimension, dimension], flip_axis_order(zyx), matrix[:dimension, :dimension].T)
