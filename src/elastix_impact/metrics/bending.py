"""Bending energy: keeps a deformation smooth."""

from typing import final

from elastix_impact.geometry.image import Image
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.typing import Points

from .base import AbstractMetric, MetricValue
from .moving_mask import MovingMask


@final
class BendingEnergy(AbstractMetric):
    """elastix's TransformBendingEnergyPenalty: the mean over samples of sum_kij (d2T_k / dx_i dx_j)^2, in mm^-2.

    Rueckert et al., IEEE TMI 18(8), 1999. 0 for a linear transform. Where a transform is added to an initial one only
    its own second derivatives count, as in elastix; where it is composed with it, those of both together do.

    Parameters
    ----------
    moving_mask
        Samples mapped outside of it do not count; None = all count.
    """

    def __init__(self, moving_mask: Image | None) -> None:
        self._mask = MovingMask(moving_mask)

    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """Mean squared norm of the second derivatives at the samples inside the moving mask."""
        weights = self._mask.weights_under(transform, world_points)
        total = weights.sum()
        energy = _penalised(transform).spatial_hessian(world_points).square().flatten(1).sum(1)
        return MetricValue(energy.dot(weights) / total.clamp_min(1.0), total / len(world_points), {})


def _penalised(transform: AbstractTransform) -> AbstractTransform:
    """What bends: not the initial transform to which another is added."""
    if isinstance(transform, CompositeTransform) and transform.combination == "Add":
        return transform.current
    return transform
