"""Bending energy of a B-spline at its control points: all of it at every iteration, and cheap."""

from itertools import combinations_with_replacement
from typing import final

import torch

from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points

from .base import AbstractMetric, MetricValue
from .nodes import derivative_at_nodes, optimised_spline

_PARAMETER = "BendingEnergyAtControlPoints"


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
        optimised_spline(start, _PARAMETER)

    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """The mean squared norm of the second derivatives; `world_points` are not used."""
        del world_points
        spline = optimised_spline(transform, _PARAMETER)
        parts = [
            (1 if i == j else 2) * derivative_at_nodes(spline, (i, j)).square().sum(0).mean()
            for i, j in combinations_with_replacement(range(spline.dimension), 2)
        ]
        return MetricValue(torch.stack(parts).sum(), torch.ones_like(parts[0]).detach(), {})
