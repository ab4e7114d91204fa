"""Derivatives of a B-spline at its control points and between them: weighted sums of 2 to 4 neighbours per axis."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.geometry.bspline import apply_per_axis
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform

Taps = tuple[float, ...]


def _at_nodes(side: float) -> tuple[Taps, ...]:
    """Weights of three neighbours for a spline's value, first and second derivative in units of their distance."""
    return (side, 1 - 2 * side, side), (-0.5, 0.0, 0.5), (1.0, -2.0, 1.0)


_NODES = {1: _at_nodes(0.0), 2: _at_nodes(1 / 8), 3: _at_nodes(1 / 6)}
_PAIR = ((0.5, 0.5), (-1.0, 1.0))
_MIDDLES: dict[int, tuple[Taps, ...]] = {
    1: _PAIR, 2: _PAIR, 3: ((1 / 48, 23 / 48, 23 / 48, 1 / 48), (-1 / 8, -5 / 8, 5 / 8, 1 / 8)),
}  # fmt: skip
"""By order of the spline; in the middle of a cell values and first derivatives only."""

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
    return _derivative(spline, axes, _NODES[spline.order])


def derivative_between_nodes(spline: BSplineTransform, axes: Sequence[int]) -> Nodes:
    """As `derivative_at_nodes`, for at most one axis, in the middle of the cells between the nodes.

    Cells of which some control points are missing are left out.
    """
    return _derivative(spline, axes, _MIDDLES[spline.order])


def _derivative(spline: BSplineTransform, axes: Sequence[int], taps: tuple[Taps, ...]) -> Nodes:
    values = spline.coefficients.view(spline.dimension, *spline.grid.shape)
    orders = [list(axes).count(axis) for axis in range(spline.dimension)]
    matrices = [
        _band(size, taps[order], spacing**-order, values.dtype, values.device)
        for size, spacing, order in zip(spline.grid.size, spline.grid.spacing, orders)
    ]
    return apply_per_axis(matrices, values)


@lru_cache(maxsize=64)
def _band(size: int, taps: Taps, factor: float, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "out in"]:
    """The matrix that sums neighbours with these weights times a factor; a product with it beats sums of shifts."""
    with torch.inference_mode(False):
        matrix = torch.zeros(max(size - len(taps) + 1, 0), size, dtype=torch.float64)
        for shift, tap in enumerate(taps):
            matrix.diagonal(shift)[: len(matrix)] = tap * factor
        return matrix.to(dtype).to(device)
