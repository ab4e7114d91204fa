"""Free-form deformation: a displacement field of B-splines."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.geometry.bspline import (
    ControlLattice,
    control_lattice,
    lattice_derivative_weights,
    lattice_weights,
    weighted_sum,
)
from elastix_impact.geometry.bspline_hessian import lattice_hessian
from elastix_impact.geometry.grid import Grid, Row
from elastix_impact.geometry.lattice_points import LatticePoints, is_parallel, spline_on_lattice
from elastix_impact.geometry.patches import Patches, PatchPoints, block_rows, block_tables, contract_blocks
from elastix_impact.geometry.spline_rows import SplineRows
from elastix_impact.typing import Points, Vector

from .base import AbstractTransform, KroneckerJacobian

CHUNK = 1 << 14
"""Points handled at once: keeps the (points, taps) tables inside the processor's caches."""


def identity_parameters(grid: Grid) -> Vector:
    """Parameters (D * nodes,) of no deformation on this lattice, float64 zeros."""
    return torch.zeros(grid.dimension * grid.number_of_voxels, dtype=torch.float64)


@final
@dataclass(frozen=True, eq=False)
class BSplineTransform(AbstractTransform):
    """T(x) = x + sum_k c_k beta(x - x_k): Rueckert et al., IEEE TMI 18(8), 1999.

    Parameters: the coefficients c in mm, all x components, then all y(, z), nodes with x fastest.
    A point outside the lattice's valid region stays where it is.

    Attributes
    ----------
    grid
        The control points, those beyond the image included.
    order
        1, 2 or 3.
    recursive
        Whether files call it RecursiveBSplineTransform; the map is the same.
    has_gradients
        Whether `map_points` and `spatial_jacobian` are differentiable; see `without_gradients`.
    """

    grid: Grid
    order: int = 3
    recursive: bool = False
    has_gradients: bool = True

    def __post_init__(self) -> None:
        expected = self.grid.dimension * self.grid.number_of_voxels
        if self.parameters.shape != (expected,):
            raise InputError(
                f"a B-spline lattice of {self.grid.size} control points has {expected} parameters, "
                f"got {self.parameters.numel()}",
                where="TransformParameters",
            )

    @property
    def dimension(self) -> int:
        """Number of spatial axes."""
        return self.grid.dimension

    @property
    def is_linear(self) -> bool:
        """No."""
        return False

    @property
    def lattice(self) -> ControlLattice:
        """The control points ready for evaluation, on the parameters' device and in their dtype."""
        return control_lattice(self.grid, self.order, self.parameters.dtype, self.parameters.device)

    @property
    def coefficients(self) -> Float[Tensor, "D nodes"]:
        """The parameters as one row per coordinate."""
        return self.parameters.view(self.dimension, -1)

    def map_points(self, world_points: Points) -> Points:
        """Displaced points in mm (N, D), differentiable with respect to parameters and points."""
        read = self._displacements if self._rows is None else self._rows.values
        return world_points + _per_chunk(read, world_points)

    def map_patches(self, patches: Patches) -> PatchPoints:
        """Displaced points in mm (N, K, D), differentiable with respect to the parameters."""
        if not patches.separable_on(self.grid, self.order):
            points = patches.points
            return self.map_points(points.flatten(0, 1)).view_as(points)
        last_start = tuple(size - self.order - 1 for size in self.grid.size)
        nodes, matrices = block_tables(patches, self.grid, self.order, last_start=last_start)
        rows = block_rows([n.clamp(0, size - 1) for n, size in zip(nodes, self.grid.size)], self.grid.size)
        blocks = self.coefficients.T.contiguous().index_select(0, rows.flatten())
        return patches.points + contract_blocks(blocks.view(*rows.shape, self.dimension), matrices)

    def map_lattice(self, lattice: LatticePoints) -> Points:
        """Displaced points in mm (N, D), differentiable with respect to the parameters."""
        if not is_parallel(lattice.grid, self.grid):
            return self.map_points(lattice.points)
        return lattice.points + spline_on_lattice(self.coefficients, self.grid, self.order, lattice.grid).T

    def spatial_jacobian(self, world_points: Points) -> Float[Tensor, "N D D"]:
        """dT/dx (N, D, D), differentiable with respect to the parameters."""
        identity = torch.eye(self.dimension, dtype=world_points.dtype, device=world_points.device)
        read = self._displacement_slopes if self._rows is None else self._rows.slopes
        return identity + _per_chunk(read, world_points)

    def spatial_hessian(self, world_points: Points) -> Float[Tensor, "N D D D"]:
        """d2T/dx2 (N, D, D, D) per mm, differentiable with respect to the parameters."""
        return _per_chunk(self._displacement_hessian, world_points)

    def jacobian(self, world_points: Points) -> KroneckerJacobian:
        """dT/dmu: weights and nodes (N, (order + 1)**D); weights are zero outside the valid region."""
        weights, indices = lattice_weights(self.lattice, world_points.detach())
        return KroneckerJacobian(weights, indices.long(), self.lattice.nodes, self.dimension)

    def _displacements(self, world_points: Tensor) -> Tensor:
        return weighted_sum(self.coefficients, *lattice_weights(self.lattice, world_points))

    def _displacement_slopes(self, world_points: Tensor) -> Tensor:
        slopes, indices = lattice_derivative_weights(self.lattice, world_points)
        columns = [weighted_sum(self.coefficients, slopes[:, d], indices) for d in range(self.dimension)]
        return torch.stack(columns, dim=-1)

    def _displacement_hessian(self, world_points: Tensor) -> Tensor:
        return lattice_hessian(self.coefficients, self.lattice, world_points)

    def without_gradients(self) -> "BSplineTransform":
        """The same map, read by rows where it lies on a CPU."""
        return replace(self, has_gradients=False)

    @cached_property
    def _rows(self) -> SplineRows | None:
        if self.has_gradients or self.parameters.device.type != "cpu":
            return None
        return SplineRows(self.coefficients, self.lattice)

    def shifted(self, offset: Row) -> "BSplineTransform":
        """The same map in a world moved by `offset` mm: the lattice moves."""
        return replace(self, grid=self.grid.shifted(offset))

    def to(self, dtype: torch.dtype, device: torch.device | str = "cpu") -> "BSplineTransform":
        """The transform with its parameters in this dtype on this device."""
        return replace(self, parameters=self.parameters.to(device=device, dtype=dtype))


def _per_chunk(function: Callable[[Tensor], Tensor], world_points: Tensor) -> Tensor:
    if world_points.shape[0] <= CHUNK:
        return function(world_points)
    return torch.cat([function(chunk) for chunk in world_points.split(CHUNK)])
