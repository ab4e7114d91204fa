"""What the gradient descents share: the decaying gain and a step in scaled parameters."""

import torch
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.typing import Scalar, Vector


def decaying_gain(time: Scalar, a: float, A: float, alpha: float) -> Scalar:
    """The gain a / (A + time + 1) ** alpha (Robbins and Monro, 1951; Spall, 1998), a scalar tensor."""
    return (time + (A + 1)).pow(-alpha) * a


def inverse_scales(scales: Vector | None) -> Tensor | None:
    """1 / scales, or None where all are one, because then nothing needs to be multiplied.

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
    return 1 / scales


def descend(parameters: Vector, scaled_gradient: Vector, gain: Scalar, inverse: Tensor | None) -> Vector:
    """Parameters after a step of `gain` against the gradient in parameters * scales.

    With y = s x the gradient by y is g / s; a step of y by -gain g / s moves x by -gain g / s / s.
    """
    direction = scaled_gradient if inverse is None else scaled_gradient * inverse
    return torch.addcmul(parameters, direction, gain, value=-1)
