"""Rigid motion by Euler angles."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.typing import Vector

from .linear import AbstractLinearTransform, axis_rotations, require_count, rotation_2d


def identity_parameters(dimension: int) -> Vector:
    """Parameters of no motion, float64: (6,) zeros in 3-D, (3,) in 2-D."""
    return torch.zeros(6 if dimension == 3 else 3, dtype=torch.float64)


def angles_of(rotation: Float[Tensor, "D D"]) -> Vector:
    """The angles in radians (3,) about x, y, z, or (1,) in 2-D, by which an `EulerTransform` makes `rotation`.

    A = Rz Rx Ry. Where the angle about x is a quarter turn only the sum or difference of the others is determined; then
    that about y is 0.
    """
    if rotation.shape[-1] == 2:
        return torch.atan2(rotation[1, 0], rotation[0, 0]).unsqueeze(0)
    about_x = torch.asin(rotation[2, 1].clamp(-1, 1))
    if bool(about_x.cos().abs() < 1e-9):
        return torch.stack([about_x, torch.zeros_like(about_x), torch.atan2(rotation[1, 0], rotation[0, 0])])
    about_y = torch.atan2(-rotation[2, 0], rotation[2, 2])
    return torch.stack([about_x, about_y, torch.atan2(-rotation[0, 1], rotation[1, 1])])


@final
@dataclass(frozen=True, eq=False)
class EulerTransform(AbstractLinearTransform):
    """Rotation about a centre, then translation.

    Parameters: in 3-D the angles about x, y, z in radians and the translation in mm; in 2-D the angle and the
    translation. The rotations are applied about y, then x, then z: A = Rz Rx Ry.

    Attributes
    ----------
    compute_zyx
        3-D: rotate about x, then y, then z instead: A = Rz Ry Rx.
    """

    compute_zyx: bool = False

    def __post_init__(self) -> None:
        require_count(self.parameters, 6 if self.dimension == 3 else 3, "EulerTransform", self.dimension)

    def matrix_and_translation(self, parameters: Vector) -> tuple[Float[Tensor, "D D"], Float[Tensor, " D"]]:
        """Rotation matrix and translation in mm."""
        if self.dimension == 2:
            return rotation_2d(parameters[0]), parameters[1:]
        about_x, about_y, about_z = axis_rotations(parameters[:3])
        first_two = about_y @ about_x if self.compute_zyx else about_x @ about_y
        return about_z @ first_two, parameters[3:]
