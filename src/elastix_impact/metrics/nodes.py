"""Derivatives of a B-spline at its control points: weighted sums of three neighbours per axis."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform

_SIDE = {1: 0.0, 2: 1 / 8, 3: 1 / 6}
"""Weight of a control point at its neighbours, by order of the spline."""

Nodes = Float[Tensor, "D *inner"]


def optimised_spline(transform: AbstractTransform, parameter: str) -> BSplineTransform:
    """The B-spline that is optimised, whatever comes before it.

    Raises
    ------
    InputError
        If the transform that is optimised is no B-spline; it names the `parameter` that needs one.
    """
    spline = transform.current if isinstance(transform, CompositeTransform) else transform
    if not isinstance(spline, BSplineTransform):
        raise InputError(
            "control points are to be looked at, and the transform has none",
            where=parameter,
            expected='a (Transform "BSplineTransform")',
            remedy=f"Remove {parameter} from the map",
        )
    return spline


def derivative_at_nodes(spline: BSplineTransform, axes: Sequence[int]) -> Nodes:
    """The displacement (D, ...) differentiated along `axes`, none, one or two of x, y(, z), at the inner nodes.

    In mm per mm to the power of the number of axes; the outermost node at each end of an axis is left out.
    """
    side = _SIDE[spline.order]
    taps = {0: (side, 1 - 2 * side, side), 1: (-0.5, 0.0, 0.5), 2: (1.0, -2.0, 1.0)}
    values = spline.coefficients.view(spline.dimension, *spline.grid.shape)
    for axis, spacing in enumerate(spline.grid.spacing):
        times = list(axes).count(axis)
        values = _along(values, spline.dimension - axis, taps[times]) / spacing**times
    return values


def _along(values: Tensor, axis: int, taps: tuple[float, float, float]) -> Tensor:
    count = values.shape[axis] - 2
    return torch.stack([tap * values.narrow(axis, k, count) for k, tap in enumerate(taps) if tap]).sum(0)
