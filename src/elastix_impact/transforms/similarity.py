"""Rigid motion and one scale."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.typing import Vector

from .linear import AbstractLinearTransform, require_count, rotation_2d, versor_of, versor_rotation


def identity_parameters(dimension: int) -> Vector:
    """Parameters of no motion and scale 1, float64: (7,) in 3-D, (4,) in 2-D."""
    parameters = torch.zeros(7 if dimension == 3 else 4, dtype=torch.float64)
    parameters[6 if dimension == 3 else 0] = 1.0
    return parameters


def rigid_parameters(rotation: Float[Tensor, "D D"], translation: Float[Tensor, " D"]) -> Vector:
    """Parameters (7,) in 3-D, (4,) in 2-D, of a SimilarityTransform of scale 1 that turns by `rotation`, then moves."""
    one = torch.ones(1, dtype=rotation.dtype)
    if rotation.shape[-1] == 2:
        return torch.cat([one, torch.atan2(rotation[1, 0], rotation[0, 0]).unsqueeze(0), translation])
    return torch.cat([versor_of(rotation), translation, one])


@final
@dataclass(frozen=True, eq=False)
class SimilarityTransform(AbstractLinearTransform):
    """Scaling and rotation about a centre, then translation.

    Parameters: in 3-D the versor x, y, z (sin(angle / 2) times the axis), the translation in mm, the scale;
    in 2-D the scale, the angle in radians, the translation.
    """

    def __post_init__(self) -> None:
        require_count(self.parameters, 7 if self.dimension == 3 else 4, "SimilarityTransform", self.dimension)

    def matrix_and_translation(self, parameters: Vector) -> tuple[Float[Tensor, "D D"], Float[Tensor, " D"]]:
        """Scaled rotation matrix and translation in mm."""
        if self.dimension == 2:
            return parameters[0] * rotation_2d(parameters[1]), parameters[2:]
        return parameters[6] * versor_rotation(parameters[:3]), parameters[3:6]
