"""Points of a regular lattice, and splines on it: one small matrix per axis instead of a sum of taps per point."""

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.typing import Points

from .bspline import apply_per_axis
from .grid import Frame, Grid
from .kernels import kernel_taps

_PARALLEL = 1e-6
"""Largest entry, off the diagonal, of the matrix between two lattices whose axes are the same."""


@final
@dataclass(frozen=True, eq=False)
class LatticePoints:
    """World points in mm of all voxels of a grid, (N, D), x running fastest; the grid says that they are regular."""

    grid: Grid
    points: Points

    @staticmethod
    def of(grid: Grid, dtype: torch.dtype, device: torch.device | str) -> "LatticePoints":
        """The points of a grid in this dtype on this device."""
        return LatticePoints(grid, grid.world_points(torch.float64).to(dtype).to(device))


@lru_cache(maxsize=16)
def is_parallel(lattice: Grid, control: Grid) -> bool:
    """Whether the axes of two grids are the same, so that splines on one are separable on the other."""
    linear = (control.matrix(Frame.WORLD, Frame.INDEX) @ lattice.matrix(Frame.INDEX, Frame.WORLD))[:-1, :-1]
    return bool((linear - linear.diag().diag()).abs().max() < _PARALLEL)


def spline_on_lattice(
    coefficients: Float[Tensor, "C nodes"], control: Grid, order: int, lattice: Grid
) -> Float[Tensor, "C N"]:
    """A spline of `order` with C `coefficients` per control point at the voxels of a parallel grid.

    Zero, as `lattice_weights`, where not all taps have a control point. Differentiable with respect to the
    coefficients. For 400,000 points it takes a hundredth of the time of sums over 64 taps per point.
    """
    matrices = _matrices(control, order, lattice, coefficients.dtype, coefficients.device)
    return apply_per_axis(matrices, coefficients.reshape(-1, *control.shape)).reshape(coefficients.shape[0], -1)


@lru_cache(maxsize=16)
def _matrices(control: Grid, order: int, lattice: Grid, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """Per axis x, y(, z) the weights (voxels, control points) of the taps."""
    to_index = control.matrix(Frame.WORLD, Frame.INDEX) @ lattice.matrix(Frame.INDEX, Frame.WORLD)
    with torch.inference_mode(False):
        return tuple(
            _axis_matrix(to_index[axis, axis], to_index[axis, -1], lattice.size[axis], control.size[axis], order)
            .to(dtype)
            .to(device)
            for axis in range(lattice.dimension)
        )


def _axis_matrix(step: Tensor, offset: Tensor, voxels: int, nodes: int, order: int) -> Tensor:
    positions = torch.arange(voxels, dtype=torch.float64) * step + offset
    start, weights, _ = kernel_taps(positions.unsqueeze(1), order, derivatives=False)
    inside = (start >= 0) & (start <= nodes - 1 - order)
    taps = (start + torch.arange(order + 1)).clamp(0, nodes - 1)
    matrix = torch.zeros(voxels, nodes, dtype=torch.float64)
    return matrix.scatter_add_(1, taps, weights[:, 0] * inside)
