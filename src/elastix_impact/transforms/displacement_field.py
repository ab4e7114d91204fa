"""Displacements at the voxels of a grid, as ITK and ANTs keep a deformation."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from elastix_impact.geometry.bspline import lattice_index_points
from elastix_impact.geometry.grid import Grid, Row
from elastix_impact.geometry.lattice_points import LatticePoints
from elastix_impact.geometry.patches import Patches, PatchPoints
from elastix_impact.typing import FeatureVolume, Points

from .base import AbstractTransform, KroneckerJacobian
from .bspline import BSplineTransform

RIM = 1
"""Voxels around the field's that hold the border's displacements."""


@final
@dataclass(frozen=True, eq=False)
class DisplacementFieldTransform(AbstractTransform):
    """T(x) = x + u(x), where u is linear between the displacements of the voxels.

    Half a voxel beyond the outer voxel centres the border's displacements hold, farther out nothing moves: as ITK's
    transform of that name does with its default interpolator (inside is an index in [-0.5, size - 0.5)), the only one
    that its files know.

    Parameters: displacements in mm, all x components, then all y(, z), nodes with x fastest, those of the rim included.

    Attributes
    ----------
    grid
        The field's voxels, and one more around each side, which holds the border's values.
    """

    grid: Grid

    @classmethod
    def of(cls, displacements: FeatureVolume, grid: Grid) -> "DisplacementFieldTransform":
        """The transform that moves the voxels of `grid` by `displacements` (D, (z, )y, x) in mm, float64."""
        padded = F.pad(displacements.double().unsqueeze(0), [RIM, RIM] * grid.dimension, mode="replicate")
        return cls(padded.flatten(), grid.padded([RIM] * grid.dimension))

    @property
    def dimension(self) -> int:
        """Number of spatial axes."""
        return self.grid.dimension

    @property
    def is_linear(self) -> bool:
        """No."""
        return False

    @cached_property
    def as_spline(self) -> BSplineTransform:
        """A B-spline of order 1, which is linear interpolation; it moves what lies up to a voxel beyond the border."""
        return BSplineTransform(self.parameters, self.grid, 1)

    @property
    def field_grid(self) -> Grid:
        """The grid of the voxels alone."""
        return self.grid.padded([-RIM] * self.dimension)

    @property
    def displacements(self) -> FeatureVolume:
        """Displacements (D, (z, )y, x) in mm of the voxels of `field_grid`."""
        inner = (slice(None), *[slice(RIM, -RIM)] * self.dimension)
        return self.parameters.reshape(self.dimension, *self.grid.shape)[inner]

    def map_points(self, world_points: Points) -> Points:
        """Displaced points in mm (N, D), differentiable with respect to parameters and points."""
        return self._where_inside(self.as_spline.map_points, world_points, world_points)

    def map_patches(self, patches: Patches) -> PatchPoints:
        """Displaced points in mm (N, K, D), differentiable with respect to the parameters."""
        moved, points = self.as_spline.map_patches(patches), patches.points
        inside = self._inside(points.flatten(0, 1)).view(*points.shape[:2], 1)
        return torch.where(inside, moved, points)

    def map_lattice(self, lattice: LatticePoints) -> Points:
        """Displaced points in mm (N, D), differentiable with respect to the parameters."""
        return self._where_inside(lambda _: self.as_spline.map_lattice(lattice), lattice.points, lattice.points)

    def spatial_jacobian(self, world_points: Points) -> Float[Tensor, "N D D"]:
        """dT/dx (N, D, D), differentiable with respect to the parameters."""
        identity = torch.eye(self.dimension, dtype=world_points.dtype, device=world_points.device)
        return self._where_inside(self.as_spline.spatial_jacobian, world_points, identity)

    def spatial_hessian(self, world_points: Points) -> Float[Tensor, "N D D D"]:
        """d2T/dx2 (N, D, D, D) per mm, differentiable with respect to the parameters."""
        return self._where_inside(self.as_spline.spatial_hessian, world_points, world_points.new_zeros(()))

    def jacobian(self, world_points: Points) -> KroneckerJacobian:
        """dT/dmu: weights and nodes (N, 2**D); weights are zero where nothing moves."""
        found = self.as_spline.jacobian(world_points)
        return replace(found, weights=found.weights * self._inside(world_points)[:, None])

    def shifted(self, offset: Row) -> "DisplacementFieldTransform":
        """The same map in a world moved by `offset` mm: the grid moves."""
        return replace(self, grid=self.grid.shifted(offset))

    def to(self, dtype: torch.dtype, device: torch.device | str = "cpu") -> "DisplacementFieldTransform":
        """The transform with its parameters in this dtype on this device."""
        return replace(self, parameters=self.parameters.to(device=device, dtype=dtype))

    def _inside(self, world_points: Points) -> Bool[Tensor, " N"]:
        """Whether ITK would move the points (N, D)."""
        index = lattice_index_points(self.as_spline.lattice, world_points.detach()) - RIM
        ends = torch.tensor(self.field_grid.size, dtype=index.dtype, device=index.device) - 0.5
        return ((index >= -0.5) & (index < ends)).all(dim=1)

    def _where_inside(self, function: Callable[[Points], Tensor], world_points: Points, outside: Tensor) -> Tensor:
        """`function` of the points that are moved, `outside` for the others."""
        found = function(world_points)
        inside = self._inside(world_points)
        return torch.where(inside.view(-1, *[1] * (found.ndim - 1)), found, outside)
