"""Affine transforms, by their matrix or by its logarithm."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.typing import Vector

from .linear import AbstractLinearTransform, require_count, versor_of


def identity_parameters(dimension: int) -> Vector:
    """Parameters (D * D + D,) of an AffineTransform that moves nothing, float64."""
    matrix = torch.eye(dimension, dtype=torch.float64)
    return torch.cat([matrix.flatten(), torch.zeros(dimension, dtype=torch.float64)])


def identity_log_parameters(dimension: int) -> Vector:
    """Parameters (D * D + D,) of an AffineLogTransform that moves nothing, float64."""
    return torch.zeros(dimension * dimension + dimension, dtype=torch.float64)


def logarithm_of(rotation: Float[Tensor, "D D"]) -> Float[Tensor, "D D"]:
    """The skew matrix whose exponential is `rotation`."""
    if rotation.shape[-1] == 2:
        angle = torch.atan2(rotation[1, 0], rotation[0, 0])
        return angle * torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=rotation.dtype)
    versor = versor_of(rotation)
    sine = versor.norm()
    x, y, z = (versor * (2 * sine.clamp(max=1).asin() / sine.clamp_min(1e-300))).unbind()
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).view(3, 3)


@final
@dataclass(frozen=True, eq=False)
class AffineTransform(AbstractLinearTransform):
    """A matrix about a centre, then translation.

    Parameters: the matrix row by row, then the translation in mm.
    """

    def __post_init__(self) -> None:
        require_count(self.parameters, self.dimension * (self.dimension + 1), "AffineTransform", self.dimension)

    def matrix_and_translation(self, parameters: Vector) -> tuple[Float[Tensor, "D D"], Float[Tensor, " D"]]:
        """Matrix and translation in mm."""
        entries = self.dimension * self.dimension
        return parameters[:entries].view(self.dimension, self.dimension), parameters[entries:]


@final
@dataclass(frozen=True, eq=False)
class AffineLogTransform(AbstractLinearTransform):
    """The exponential of a matrix about a centre, then translation: never singular or reflecting.

    Parameters: the logarithm of the matrix row by row, then the translation in mm.
    """

    def __post_init__(self) -> None:
        require_count(self.parameters, self.dimension * (self.dimension + 1), "AffineLogTransform", self.dimension)

    def matrix_and_translation(self, parameters: Vector) -> tuple[Float[Tensor, "D D"], Float[Tensor, " D"]]:
        """Exponential of the logarithm, and translation in mm."""
        entries = self.dimension * self.dimension
        logarithm = parameters[:entries].view(self.dimension, self.dimension)
        return torch.matrix_exp(logarithm), parameters[entries:]
