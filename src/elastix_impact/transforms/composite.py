"""A transform on top of an initial one; only the upper one is optimised."""

from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal, cast, final

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Row
from elastix_impact.geometry.patches import Patches, PatchPoints
from elastix_impact.typing import Points, Vector

from .base import AbstractTransform, Jacobian

Combination = Literal["Compose", "Add"]


@final
@dataclass(frozen=True, eq=False)
class CompositeTransform(AbstractTransform):
    """Two transforms in one: current(initial(x)), or initial(x) + current(x) - x.

    Attributes
    ----------
    initial
        The transform from an earlier stage, itself a composite perhaps. Fixed.
    current
        The transform being optimised.
    combination
        ``"Compose"`` or ``"Add"`` (elastix's HowToCombineTransforms).
    parameters
        Those of `current`. If given they replace them; that is how `with_parameters` works.
    """

    initial: AbstractTransform
    current: AbstractTransform
    combination: Combination = "Compose"
    _: KW_ONLY
    parameters: Vector = field(default=cast(Any, None))

    def __post_init__(self) -> None:
        if self.initial.dimension != self.current.dimension:
            raise InputError(
                f"a transform of {self.current.dimension} dimensions can't follow an initial transform of "
                f"{self.initial.dimension}",
                where="InitialTransformParameterFileName",
            )
        if self.parameters is None:
            object.__setattr__(self, "parameters", self.current.parameters)
        else:
            object.__setattr__(self, "current", self.current.with_parameters(self.parameters))

    @property
    def dimension(self) -> int:
        """Number of spatial axes."""
        return self.current.dimension

    @property
    def is_linear(self) -> bool:
        """Whether both are."""
        return self.initial.is_linear and self.current.is_linear

    def map_points(self, world_points: Points) -> Points:
        """Mapped points in mm (N, D), differentiable with respect to `current`'s parameters and the points."""
        between = self.initial.map_points(world_points)
        if self.combination == "Compose":
            return self.current.map_points(between)
        return between + self.current.map_points(world_points) - world_points

    def map_patches(self, patches: Patches) -> PatchPoints:
        """Mapped points in mm (N, K, D); see `map_points`."""
        between = self.initial.map_patches(patches)
        if self.combination == "Compose":
            return self.current.map_points(between.flatten(0, 1)).view_as(between)
        return between + self.current.map_patches(patches) - patches.points

    def spatial_jacobian(self, world_points: Points) -> Float[Tensor, "N D D"]:
        """dT/dx (N, D, D) by the chain rule, or by the sum."""
        of_initial = self.initial.spatial_jacobian(world_points)
        if self.combination == "Compose":
            between = self.initial.map_points(world_points)
            return self.current.spatial_jacobian(between) @ of_initial
        identity = torch.eye(self.dimension, dtype=of_initial.dtype, device=of_initial.device)
        return of_initial + self.current.spatial_jacobian(world_points) - identity

    def spatial_hessian(self, world_points: Points) -> Float[Tensor, "N D D D"]:
        """d2T/dx2 (N, D, D, D) per mm by the chain rule, or by the sum."""
        if self.combination == "Add":
            of_current = self.current.spatial_hessian(world_points)
            return of_current if self.initial.is_linear else of_current + self.initial.spatial_hessian(world_points)
        between = self.initial.map_points(world_points)
        slopes = self.initial.spatial_jacobian(world_points)
        hessian = torch.einsum("nkab,nai,nbj->nkij", self.current.spatial_hessian(between), slopes, slopes)
        if self.initial.is_linear:
            return hessian
        bent = self.initial.spatial_hessian(world_points)
        return hessian + torch.einsum("nkp,npij->nkij", self.current.spatial_jacobian(between), bent)

    def jacobian(self, world_points: Points) -> Jacobian:
        """dT/dmu with respect to `current`'s parameters."""
        if self.combination == "Compose":
            return self.current.jacobian(self.initial.map_points(world_points).detach())
        return self.current.jacobian(world_points)

    def shifted(self, offset: Row) -> "CompositeTransform":
        """The same map in a world moved by `offset` mm."""
        return CompositeTransform(self.initial.shifted(offset), self.current.shifted(offset), self.combination)

    def without_gradients(self) -> "CompositeTransform":
        """Both transforms without gradients."""
        parts = self.initial.without_gradients(), self.current.without_gradients()
        return CompositeTransform(*parts, self.combination)

    def to(self, dtype: torch.dtype, device: torch.device | str = "cpu") -> "CompositeTransform":
        """Both transforms in this dtype on this device."""
        return CompositeTransform(self.initial.to(dtype, device), self.current.to(dtype, device), self.combination)
