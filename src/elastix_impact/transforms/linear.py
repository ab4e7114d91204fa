"""What linear transforms share: T(x) = A (x - centre) + centre + translation, all in mm.

Rotations are built from the generators of the rotation group, so that a matrix costs few operations.
"""

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Row
from elastix_impact.typing import Points, Vector

from .base import AbstractTransform, DenseJacobian, zero_hessian

_GENERATORS = (
    ((0.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
    ((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (-1.0, 0.0, 0.0)),
    ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
)
"""Derivatives at angle 0 of the rotations about x, y and z."""

_QUARTER_TURN = ((0.0, -1.0), (1.0, 0.0))

Linear = TypeVar("Linear", bound="AbstractLinearTransform")


@dataclass(frozen=True, eq=False)
class AbstractLinearTransform(AbstractTransform):
    """A linear transform about a centre; a kind says how its parameters give matrix and translation.

    Attributes
    ----------
    centre
        World point in mm that the matrix leaves in place. Not optimised.
    """

    centre: Row

    @abstractmethod
    def matrix_and_translation(self, parameters: Vector) -> tuple[Float[Tensor, "D D"], Float[Tensor, " D"]]:
        """Matrix A and translation in mm that `parameters` mean, differentiable."""

    @final
    @property
    def dimension(self) -> int:
        """Number of spatial axes."""
        return len(self.centre)

    @final
    @property
    def is_linear(self) -> bool:
        """Yes."""
        return True

    @final
    def map_points(self, world_points: Points) -> Points:
        """Mapped points in mm (N, D), differentiable with respect to parameters and points."""
        matrix, translation = self.matrix_and_translation(self.parameters)
        centre = constant(self.centre, self.parameters.dtype, self.parameters.device)
        return torch.addmm(centre + translation, world_points - centre, matrix.T)

    @final
    def spatial_jacobian(self, world_points: Points) -> Float[Tensor, "N D D"]:
        """The matrix, once per point."""
        matrix, _ = self.matrix_and_translation(self.parameters)
        return matrix.expand(world_points.shape[0], -1, -1)

    @final
    def spatial_hessian(self, world_points: Points) -> Float[Tensor, "N D D D"]:
        """Zeros, whose gradient by the parameters is zero too."""
        return zero_hessian(self.parameters, world_points)

    @final
    def jacobian(self, world_points: Points) -> DenseJacobian:
        """dT/dmu (N, D, P): derivative of the matrix times (x - centre), plus that of the translation."""
        by_matrix, by_translation = torch.func.jacfwd(self.matrix_and_translation)(self.parameters.detach())
        centre = constant(self.centre, self.parameters.dtype, self.parameters.device)
        values = torch.einsum("ijp,nj->nip", by_matrix, world_points.detach() - centre) + by_translation
        return DenseJacobian(values)

    @final
    def shifted(self: Linear, offset: Row) -> Linear:
        """The same map in a world moved by `offset` mm: only the centre moves."""
        return replace(self, centre=tuple(c + d for c, d in zip(self.centre, offset)))

    @final
    def to(self: Linear, dtype: torch.dtype, device: torch.device | str = "cpu") -> Linear:
        """The transform with its parameters in this dtype on this device."""
        return replace(self, parameters=self.parameters.to(device=device, dtype=dtype))


def require_count(parameters: Tensor, expected: int, kind: str, dimension: int) -> None:
    """Raise InputError unless `parameters` are as many as a transform of this kind has."""
    if parameters.shape != (expected,):
        raise InputError(
            f"{kind} in {dimension} dimensions has {expected} parameters, got {parameters.numel()}",
            where="TransformParameters",
        )


@lru_cache(maxsize=256)
def constant(values: tuple, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A tensor of `values`, made once per device: copying it anew would stop a GPU in every iteration."""
    with torch.inference_mode(False):
        return torch.tensor(values, dtype=dtype, device=device)


def rotation_2d(angle: Float[Tensor, ""]) -> Float[Tensor, "2 2"]:
    """Rotation by `angle` in radians, anticlockwise from x to y."""
    identity = constant(((1.0, 0.0), (0.0, 1.0)), angle.dtype, angle.device)
    return angle.cos() * identity + angle.sin() * constant(_QUARTER_TURN, angle.dtype, angle.device)


def axis_rotations(angles: Float[Tensor, " 3"]) -> Float[Tensor, "3 3 3"]:
    """Rotations by `angles` in radians about x, y and z, one (3, 3) matrix each."""
    generators = constant(_GENERATORS, angles.dtype, angles.device)
    sine, cosine = angles.sin().view(3, 1, 1), angles.cos().view(3, 1, 1)
    return _identity(angles) + sine * generators + (1 - cosine) * (generators @ generators)


def versor_rotation(versor: Float[Tensor, " 3"]) -> Float[Tensor, "3 3"]:
    """Rotation by the unit quaternion whose vector part is `versor`: sin(angle / 2) times the axis.

    The scalar part is sqrt(1 - |versor|**2); a versor of length above 1 is brought back to 1.
    """
    versor = versor / versor.square().sum().clamp(min=1.0).sqrt()
    scalar = (1 - versor.square().sum()).clamp(min=torch.finfo(versor.dtype).eps).sqrt()
    generators = constant(_GENERATORS, versor.dtype, versor.device)
    cross = (versor.view(3, 1, 1) * generators).sum(0)
    return _identity(versor) + 2 * scalar * cross + 2 * (cross @ cross)


def versor_of(rotation: Float[Tensor, "3 3"]) -> Float[Tensor, " 3"]:
    """The versor of `versor_rotation`, scalar part at least 0, by the largest of the quaternion's four parts.

    Shepperd, "Quaternion from rotation matrix", Journal of Guidance and Control 1(3), 1978.
    """
    m, trace = rotation, rotation.trace()
    outer = m + m.T - torch.diag(m.diagonal()) + torch.diag(1 - trace + m.diagonal())  # 4 times q q', vector part
    skew = torch.stack([m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]])
    if bool(trace >= outer.diagonal().max() - 1):
        return skew / (2 * (1 + trace).sqrt())
    longest = int(outer.diagonal().argmax())
    versor = outer[longest] / (2 * outer[longest, longest].sqrt())
    return -versor if bool(skew[longest] < 0) else versor


def _identity(like: Tensor) -> Tensor:
    return constant(((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), like.dtype, like.device)
