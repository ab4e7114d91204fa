"""Scales that make a step of any parameter move the image about equally far."""

from elastix_impact.errors import InputError
from elastix_impact.transforms.base import DenseJacobian, Jacobian
from elastix_impact.typing import Vector


def automatic_scales(jacobian: Jacobian) -> Vector:
    """Mean squared displacement per unit of each parameter, mm squared, (P,) float64.

    elastix's AutomaticScalesEstimation: rotations, in radians, get scales of some thousand, translations 1.

    Parameters
    ----------
    jacobian
        At samples spread over the whole fixed image.

    Raises
    ------
    InputError
        If a parameter moves nothing, or the transform is a B-spline, whose parameters all scale alike.
    """
    if not isinstance(jacobian, DenseJacobian):
        raise InputError(
            "AutomaticScalesEstimation is for linear transforms",
            remedy='Write (AutomaticScalesEstimation "false") for a B-spline transform',
        )
    scales = jacobian.values.double().square().sum(1).mean(0).cpu()
    if bool((scales == 0).any()):
        raise InputError(f"some transform parameters move no point of the image: scales {scales.tolist()}")
    return scales
