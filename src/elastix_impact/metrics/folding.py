"""A wall against folding: nothing while a deformation is far from it, steep where it comes near."""

from collections.abc import Callable, Sequence
from typing import final

import torch
from torch import Tensor

from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.typing import Points, Scalar

from .base import AbstractMetric, MetricValue
from .nodes import Nodes, derivative_at_nodes, derivative_between_nodes, optimised_spline

Axes = Sequence[int]

_PARAMETER = "TransformFoldingPenalty"


@final
class FoldingPenalty(AbstractMetric):
    """The mean of max(0, 1 - det(dT/dx) / threshold)^2 over control points and cell middles; no samples, no masks.

    The middles of the cells between control points count as much as the control points together: seen at the control
    points alone, a fine deformation folds between them.
    Only the B-spline that is optimised counts, whatever comes before it. The hinge follows Rohlfing et al., "Volume-
    preserving nonrigid registration of MR breast images", IEEE TMI 22(6), 2003, who penalise determinants everywhere.

    Parameters
    ----------
    start
        The transform at the level's start.
    threshold
        The share of its volume to which a place may shrink free of charge.

    Raises
    ------
    InputError
        If the transform that is optimised is no B-spline.
    """

    def __init__(self, start: AbstractTransform, threshold: float) -> None:
        spline = optimised_spline(start, _PARAMETER)
        self._to_axes = torch.tensor(spline.grid.direction).to(spline.parameters).T
        self._threshold = threshold

    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """The mean squared excess; `world_points` are not used."""
        del world_points
        spline = optimised_spline(transform, _PARAMETER)
        value = self._mean_excess(spline, derivative_at_nodes) + self._mean_excess(spline, derivative_between_nodes)
        return MetricValue(value, torch.ones_like(value).detach(), {})

    def _mean_excess(self, spline: BSplineTransform, derivative: Callable[[BSplineTransform, Axes], Nodes]) -> Scalar:
        to_axes = self._to_axes.to(spline.parameters)
        slopes = [torch.tensordot(to_axes, derivative(spline, (axis,)), dims=1) for axis in range(spline.dimension)]
        excess = (1 - _determinant(slopes) / self._threshold).clamp_min(0.0)
        return excess.square().sum() / max(excess.numel(), 1)


def _determinant(slopes: list[Tensor]) -> Tensor:
    """det(I + du/dx) of slopes[j][i] = du_i/dx_j, both along the control points' axes."""
    rows = [[slopes[j][i] + float(i == j) for j in range(len(slopes))] for i in range(len(slopes))]
    if len(rows) == 2:
        return rows[0][0] * rows[1][1] - rows[0][1] * rows[1][0]
    (a, b, c), (d, e, f), (g, h, k) = rows
    return a * (e * k - f * h) - b * (d * k - f * g) + c * (d * h - e * g)
