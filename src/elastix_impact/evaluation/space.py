"""What a transform does to space at the places of a scene: folding, volumes, scale, bending."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from .scene import Look, Scene


@final
@dataclass(frozen=True)
class Space:
    """A transform's Jacobian determinant, and what is left of it after the best affine map.

    Attributes
    ----------
    share_folded
        Share in [0, 1] of the places where the determinant is not positive.
    determinant_low, determinant_high
        Its 1st and 99th percentile.
    volume_scale
        Determinant of the affine map that fits best: 1 keeps the volume as a whole.
    bending_mm
        95th percentile of the distance to that affine map.
    share_seen
        Share of the places that the moving image shows.
    """

    share_folded: float
    determinant_low: float
    determinant_high: float
    volume_scale: float
    bending_mm: float
    share_seen: float


def space_of(scene: Scene, look: Look) -> Space:
    """The summary of a transform at the places of a scene."""
    determinant = torch.linalg.det(look.jacobian)
    low, high = torch.quantile(determinant, torch.tensor([0.01, 0.99], dtype=torch.float64)).tolist()
    matrix, rest = _affine_fit(scene.points, look.mapped)
    return Space(
        share_folded=float((determinant <= 0).double().mean()),
        determinant_low=low,
        determinant_high=high,
        volume_scale=float(torch.linalg.det(matrix)),
        bending_mm=float(torch.linalg.vector_norm(rest, dim=1).quantile(0.95)),
        share_seen=float(look.seen.double().mean()),
    )


def _affine_fit(points: Tensor, mapped: Tensor) -> tuple[Tensor, Tensor]:
    """Matrix (D, D) of the affine map nearest to points -> mapped, and what it leaves (N, D)."""
    centred, aim = points - points.mean(0), mapped - mapped.mean(0)
    solution = torch.linalg.lstsq(centred, aim, driver="gelsd").solution
    return solution.T, aim - centred @ solution
