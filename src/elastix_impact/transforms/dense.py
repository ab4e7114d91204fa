"""Transforms at every voxel of a grid: displacements, Jacobians, inverses."""

from collections.abc import Callable

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.typing import FeatureVolume, Points, Volume

from .base import AbstractTransform
from .displacement_field import DisplacementFieldTransform
from .inverse import Inversion, invert_linear, invert_points

_CHUNK = 1 << 17
"""Voxels handled at once."""


def over_grid(grid: Grid, function: Callable[[Points], Tensor]) -> FeatureVolume:
    """`function` of the world points of all voxels, float32 (C, (z, )y, x).

    Parameters
    ----------
    function
        From float64 world points in mm (N, D) to values (N, C).
    """
    pieces = []
    with torch.no_grad():
        for places in torch.arange(grid.number_of_voxels).split(_CHUNK):
            pieces.append(function(grid.voxel_points(places)).float())
    return torch.cat(pieces).T.reshape(-1, *grid.shape).contiguous()


def displacement_field(transform: AbstractTransform, grid: Grid) -> FeatureVolume:
    """T(x) - x in mm at the voxels of `grid`, float32 (D, (z, )y, x); component order x, y(, z)."""
    transform = transform.to(torch.float64).without_gradients()
    return over_grid(grid, lambda world_points: transform.map_points(world_points) - world_points)


def jacobian_field(transform: AbstractTransform, grid: Grid) -> FeatureVolume:
    """dT/dx at the voxels of `grid`, row after row, float32 (D * D, (z, )y, x)."""
    transform = transform.to(torch.float64).without_gradients()
    return over_grid(grid, lambda world_points: transform.spatial_jacobian(world_points).flatten(1))


def inverse_jacobian_field(transform: AbstractTransform, inverse: AbstractTransform, grid: Grid) -> FeatureVolume:
    """d(T^-1)/dx at the voxels of `grid`, as in `jacobian_field`; `inverse` is `inverse_on` that grid."""
    transform, inverse = transform.to(torch.float64).without_gradients(), inverse.to(torch.float64)

    def rows(world_points: Tensor) -> Tensor:
        return torch.linalg.inv(transform.spatial_jacobian(inverse.map_points(world_points))).flatten(1)

    return over_grid(grid, rows)


def determinants(jacobians: FeatureVolume) -> Volume:
    """Determinants ((z, )y, x) of matrices that are given row after row (D * D, (z, )y, x)."""
    dimension = jacobians.ndim - 1
    matrices = jacobians.movedim(0, -1).unflatten(-1, (dimension, dimension))
    return torch.linalg.det(matrices.double()).float()


def inverse_on(
    transform: AbstractTransform, grid: Grid, domain: Grid | None = None
) -> tuple[AbstractTransform, Inversion | None]:
    """The inverse: exact if linear, else a field of displacements on `grid`, exact at its voxels.

    Parameters
    ----------
    grid
        Where it will be needed: voxels of the moving image.
    domain
        Of the fixed image; see `invert_points`.

    Returns
    -------
    inverse
        Map from moving to fixed world points in mm, float64.
    inversion
        What happened at the voxels of `grid`, x running fastest; None if the transform is linear.

    Raises
    ------
    InputError
        If the transform can't be inverted on the grid.
    """
    if transform.is_linear:
        return invert_linear(transform), None
    world_points = grid.world_points()
    inversion = invert_points(transform, world_points, domain)
    displacements = inversion.world_points - world_points
    return DisplacementFieldTransform.of(displacements.T.reshape(-1, *grid.shape), grid), inversion
