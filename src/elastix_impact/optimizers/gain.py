"""What the gradient descents share: the decaying gain and a step in scaled parameters."""

import torch
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.typing import Scalar, Vector


def decaying_gain(time: Scalar, a: float, A: float, alpha: float) -> Scalar:
    """The gain a / (A + time + 1) ** alpha (Robbins and Monro, 1951; Spall, 1998), a scalar tensor."""
    return (time + (A + 1)).pow(-alpha) * a


def inverse_roots(scales: Vector | None) -> Tensor | None:
    """1 / sqrt(scales), or None where all are one, because then nothing needs to be multiplied.

    elastix's ``Scales`` are squares: it optimises y = sqrt(scales) x.

    Raises
    ------
    InputError
        If a scale is not positive and finite.
    """
    if scales is None or bool((scales == 1).all()):
        return None
    if not bool(((scales > 0) & scales.isfinite()).all()):
        raise InputError(
            f"optimiser scales between {float(scales.min())} and {float(scales.max())}",
            expected="positive finite numbers",
            remedy="Correct Scales in the parameter map",
        )
    return scales.rsqrt()


def descend(parameters: Vector, scaled_gradient: Vector, gain: Scalar, inverse: Tensor | None) -> Vector:
    """Parameters after a step of `gain` against the gradient in scaled parameters.

    With y = r x, r = sqrt(scales), the gradient by y is g / r; a step of y by -gain g / r moves x by -gain g / r / r.
    """
    direction = scaled_gradient if inverse is None else scaled_gradient * inverse
    return torch.addcmul(parameters, direction, gain, value=-1)
