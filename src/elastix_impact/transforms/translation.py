"""Translation: T(x) = x + t."""

from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.geometry.grid import Row
from elastix_impact.typing import Points, Vector

from .base import AbstractTransform, DenseJacobian, zero_hessian


def identity_parameters(dimension: int) -> Vector:
    """Parameters (D,) of no translation, float64."""
    return torch.zeros(dimension, dtype=torch.float64)


@final
@dataclass(frozen=True, eq=False)
class TranslationTransform(AbstractTransform):
    """A shift. Parameters: t in mm, ordered x, y(, z)."""

    @property
    def dimension(self) -> int:
        """Number of spatial axes."""
        return self.parameters.shape[0]

    @property
    def is_linear(self) -> bool:
        """Yes."""
        return True

    def map_points(self, world_points: Points) -> Points:
        """Shifted points in mm (N, D), differentiable with respect to parameters and points."""
        return world_points + self.parameters

    def spatial_jacobian(self, world_points: Points) -> Float[Tensor, "N D D"]:
        """The identity, once per point."""
        return self._identity().expand(world_points.shape[0], -1, -1)

    def spatial_hessian(self, world_points: Points) -> Float[Tensor, "N D D D"]:
        """Zeros, whose gradient by the parameters is zero too."""
        return zero_hessian(self.parameters, world_points)

    def jacobian(self, world_points: Points) -> DenseJacobian:
        """dT/dmu (N, D, D): the identity, once per point."""
        return DenseJacobian(self._identity().expand(world_points.shape[0], -1, -1))

    def _identity(self) -> Tensor:
        return torch.eye(self.dimension, dtype=self.parameters.dtype, device=self.parameters.device)

    def shifted(self, offset: Row) -> "TranslationTransform":
        """The transform itself: a shift looks the same from everywhere."""
        del offset
        return self

    def to(self, dtype: torch.dtype, device: torch.device | str = "cpu") -> "TranslationTransform":
        """The transform with its parameters in this dtype on this device."""
        return replace(self, parameters=self.parameters.to(device=device, dtype=dtype))
