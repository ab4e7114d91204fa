"""Bending energy of a B-spline at its control points: all of it at every iteration, and cheap."""

from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.typing import Points, Scalar

from .base import AbstractMetric, MetricValue

_SIDE = {1: 0.0, 2: 1 / 8, 3: 1 / 6}
"""Weight of a control point at its neighbours, by order of the spline."""


@final
class LatticeBendingEnergy(AbstractMetric):
    """The mean over control points of sum_kij (d2T_k / dx_i dx_j)^2, in mm^-2; no samples, no masks.

    Rueckert et al., IEEE TMI 18(8), 1999, whose integral it replaces by a sum at the nodes, where a derivative of the
    spline is a weighted sum of three control points per axis. Only the B-spline that is optimised counts, along its own
    axes, whatever comes before it.

    Parameters
    ----------
    start
        The transform at the level's start.

    Raises
    ------
    InputError
        If the transform that is optimised is no B-spline.
    """

    def __init__(self, start: AbstractTransform) -> None:
        spline = _spline(start)
        if not isinstance(spline, BSplineTransform):
            raise InputError(
                "the bending energy at control points needs a transform that has some",
                where="BendingEnergyAtControlPoints",
                expected='a (Transform "BSplineTransform")',
                remedy='Remove (BendingEnergyAtControlPoints "true") from the map',
            )

    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """The mean squared norm of the second derivatives; `world_points` are not used."""
        del world_points
        spline = _spline(transform)
        assert isinstance(spline, BSplineTransform)
        return MetricValue(_energy(spline), torch.ones_like(spline.parameters[0]).detach(), {})


def _spline(transform: AbstractTransform) -> AbstractTransform:
    return transform.current if isinstance(transform, CompositeTransform) else transform


def _energy(spline: BSplineTransform) -> Scalar:
    dimension, spacing, side = spline.dimension, spline.grid.spacing, _SIDE[spline.order]
    value, slope, curve = (side, 1 - 2 * side, side), (-0.5, 0.0, 0.5), (1.0, -2.0, 1.0)
    nodes = spline.coefficients.view(dimension, *spline.grid.shape)
    total = spline.parameters.new_zeros(())
    for i in range(dimension):
        for j in range(i, dimension):
            part = nodes
            for axis in range(dimension):
                taps = curve if axis == i == j else slope if axis in (i, j) else value
                part = _along(part, dimension - axis, taps)
            scale = (1 if i == j else 2) / (spacing[i] * spacing[j]) ** 2
            total = total + scale * part.square().sum(0).mean()
    return total


def _along(values: Tensor, axis: int, taps: tuple[float, float, float]) -> Tensor:
    """Weighted sums of three neighbours along an axis, two fewer than there are values."""
    count = values.shape[axis] - 2
    parts = [tap * values.narrow(axis, k, count) for k, tap in enumerate(taps) if tap]
    return torch.stack(parts).sum(0)
