"""What a transform does to space: by how much it stretches, whether it folds, how far it moves.

The Jacobian determinant is that of the transform itself, dT/dx, not of differences between voxels. SDlogJ is the
standard deviation of its logarithm where it is positive (Leow et al., "Statistical properties of Jacobian maps and the
realization of unbiased large-deformation nonlinear image registration", IEEE TMI 2007).
"""

from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from elastix_impact.transforms.base import AbstractTransform

from .places import Places

PERCENTILES = (1, 5, 50, 95, 99)

CHUNK = 1 << 16


@final
@dataclass(frozen=True)
class DeformationSummary:
    """A transform at the voxels of the fixed image.

    Attributes
    ----------
    voxels, step, within
        At how many voxels, every how manyth along each axis, of what: ``"fixed mask"`` or ``"fixed image"``.
    determinant
        min, max, mean and percentiles of the Jacobian determinant; 1 = volume is kept.
    share_folded
        Share in [0, 1] of voxels where it is not positive.
    sdlogj
        Standard deviation of its logarithm where it is positive; None if it is nowhere.
    displacement_mm
        mean, 95th percentile and maximum of |T(x) - x|.
    """

    voxels: int
    step: int
    within: str
    determinant: dict[str, float]
    share_folded: float
    sdlogj: float | None
    displacement_mm: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The numbers by name."""
        return {
            "voxels": self.voxels,
            "every_nth_voxel": self.step,
            "within": self.within,
            "jacobian_determinant": self.determinant,
            "share_folded": self.share_folded,
            "sdlogj": self.sdlogj,
            "displacement_mm": self.displacement_mm,
        }


def summarise_deformation(transform: AbstractTransform, places: Places) -> DeformationSummary | None:
    """The summary at some voxels of the fixed grid; None if there are none."""
    if len(places.flat) == 0:
        return None
    transform = transform.to(torch.float64).without_gradients()
    with torch.no_grad():
        pieces = [_at(transform, chunk) for chunk in places.world_points.split(CHUNK)]
    determinant, displacement = (torch.cat(parts) for parts in zip(*pieces))
    positive = determinant[determinant > 0]
    ranks = torch.quantile(determinant, torch.tensor(PERCENTILES, dtype=torch.float64) / 100)
    return DeformationSummary(
        voxels=len(determinant),
        step=places.step,
        within="fixed mask" if places.in_mask else "fixed image",
        determinant={
            "min": float(determinant.min()),
            **{f"p{rank:02d}": float(value) for rank, value in zip(PERCENTILES, ranks)},
            "max": float(determinant.max()),
            "mean": float(determinant.mean()),
        },
        share_folded=float((determinant <= 0).double().mean()),
        sdlogj=float(positive.log().std(correction=0)) if len(positive) else None,
        displacement_mm={
            "mean": float(displacement.mean()),
            "p95": float(displacement.quantile(0.95)),
            "max": float(displacement.max()),
        },
    )


def _at(transform: AbstractTransform, world_points: Tensor) -> tuple[Tensor, Tensor]:
    """Determinant and length of the displacement in mm at points, (N,) each."""
    determinant = torch.linalg.det(transform.spatial_jacobian(world_points))
    return determinant, torch.linalg.vector_norm(transform.map_points(world_points) - world_points, dim=1)
