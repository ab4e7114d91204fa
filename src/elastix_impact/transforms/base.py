"""What a transform is: a map from fixed world points to moving world points, in mm."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TypeVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.geometry.grid import Row
from elastix_impact.geometry.lattice_points import LatticePoints
from elastix_impact.geometry.patches import Patches, PatchPoints
from elastix_impact.typing import Indices, Points, Vector, Weights

Same = TypeVar("Same", bound="AbstractTransform")
"""The kind of the transform itself; `typing.Self` can't be checked at run time."""


@final
@dataclass(frozen=True, eq=False)
class KroneckerJacobian:
    """dT/dmu of a transform whose coordinates share their weights: J_n = I_D (x) w_n.

    `weights` and `indices` are (N, K): point n depends on control points `indices[n]` with `weights[n]`.
    Parameter d * nodes + k is coordinate d of control point k.
    """

    weights: Weights
    indices: Indices
    nodes: int
    dimension: int


@final
@dataclass(frozen=True, eq=False)
class DenseJacobian:
    """dT/dmu of a transform with few parameters: `values` (N, D, P), mm per parameter unit."""

    values: Float[Tensor, "N D P"]


Jacobian = KroneckerJacobian | DenseJacobian


@dataclass(frozen=True, eq=False)
class AbstractTransform(ABC):
    """A parametric map of world points, immutable: its `parameters` are replaced, never changed.

    Attributes
    ----------
    parameters
        (P,) tensor; the loop's leaf tensor goes in through `with_parameters`.
    """

    parameters: Vector

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Number of spatial axes."""

    @property
    @abstractmethod
    def is_linear(self) -> bool:
        """Whether the map is a matrix and a translation, so that its second derivatives are zero."""

    @abstractmethod
    def map_points(self, world_points: Points) -> Points:
        """Moving world points in mm of fixed world points, (N, D).

        Differentiable with respect to `parameters` (and to the points where a transform says so).
        """

    def map_patches(self, patches: Patches) -> PatchPoints:
        """Moving world points (N, K, D) of the points of patches, differentiable with respect to `parameters`."""
        points = patches.points
        return self.map_points(points.flatten(0, 1)).view_as(points)

    def map_lattice(self, lattice: LatticePoints) -> Points:
        """Moving world points (N, D) of the points of a lattice, differentiable with respect to `parameters`."""
        return self.map_points(lattice.points)

    @abstractmethod
    def spatial_jacobian(self, world_points: Points) -> Float[Tensor, "N D D"]:
        """dT/dx at the points; [n, i, j] is the derivative of coordinate i by coordinate j."""

    @abstractmethod
    def spatial_hessian(self, world_points: Points) -> Float[Tensor, "N D D D"]:
        """d2T/dx2 at the points, per mm; [n, k, i, j] is coordinate k differentiated by coordinates i and j.

        Differentiable with respect to `parameters`.
        """

    @abstractmethod
    def jacobian(self, world_points: Points) -> Jacobian:
        """dT/dmu at the points, without autograd history."""

    @abstractmethod
    def shifted(self: Same, offset: Row) -> Same:
        """The same map in a world moved by `offset` mm: T'(x) = T(x - offset) + offset, same parameters."""

    @abstractmethod
    def to(self: Same, dtype: torch.dtype, device: torch.device | str = "cpu") -> Same:
        """The transform with its tensors in this dtype on this device."""

    def without_gradients(self: Same) -> Same:
        """The same map, in less time at many points: to the last bits, and without gradients where that helps."""
        return self

    @final
    def with_parameters(self: Same, parameters: Tensor) -> Same:
        """The same kind of transform with other parameters (P,)."""
        return replace(self, parameters=parameters)


def zero_hessian(parameters: Vector, world_points: Points) -> Float[Tensor, "N D D D"]:
    """The second derivatives of a linear transform: zeros that depend on `parameters` with gradient zero."""
    count, dimension = world_points.shape
    return (0 * parameters[:1]).view(1, 1, 1, 1).expand(count, dimension, dimension, dimension)
