"""How alike the intensities of two images are: correlation and mutual information.

Both in the fixed mask and the overlap. Normalised mutual information is (H(A) + H(B)) / H(A, B), from 1 to 2
(Studholme, Hill, Hawkes, "An overlap invariant entropy measure of 3D medical image alignment", Pattern Recognition
1999), of histograms with `BINS` equal bins from minimum to maximum.
"""

from dataclasses import asdict, dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.geometry.field import ScalarField
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.interpolate import is_inside
from elastix_impact.transforms.base import AbstractTransform

from .places import Places

BINS = 64


@final
@dataclass(frozen=True)
class IntensitySummary:
    """How alike two images are where they overlap.

    Attributes
    ----------
    ncc
        Normalised cross-correlation, from -1 to 1; None where an image is constant.
    mutual_information
        In nats.
    normalized_mutual_information
        From 1, independent, to 2, each determines the other.
    overlap
        Share in [0, 1] of the voxels whose mapped place lies in the moving image.
    """

    ncc: float | None
    mutual_information: float
    normalized_mutual_information: float
    overlap: float

    def to_json(self) -> dict[str, float | None]:
        """The numbers by name."""
        return asdict(self)


def compare_intensities(
    fixed: Image, moving: Image, transform: AbstractTransform | None, places: Places
) -> IntensitySummary | None:
    """The images at some voxels of the fixed grid; None if they overlap nowhere.

    Parameters
    ----------
    transform
        Map from fixed to moving world points, mm; None = the identity.
    """
    world_points = places.world_points
    mapped = world_points if transform is None else _mapped(transform, world_points)
    inside = is_inside(moving.grid.to_index(mapped), moving.grid)
    if not bool(inside.any()):
        return None
    offset = tuple(-c for c in moving.grid.centre)
    local = moving.shifted(offset)
    field = ScalarField.from_volume(local.data.float(), local.grid, 1)
    points = (mapped[inside] + torch.tensor(offset, dtype=torch.float64)).float()
    first = fixed.data.flatten()[places.flat[inside]].double()
    second = field.values(points)[:, 0].double()
    joint = _joint(first, second)
    information, entropy = _information(joint)
    return IntensitySummary(
        ncc=_correlation(first, second),
        mutual_information=information,
        normalized_mutual_information=1.0 + (information / entropy if entropy > 0 else 0.0),
        overlap=float(inside.double().mean()),
    )


def _mapped(transform: AbstractTransform, world_points: Tensor) -> Tensor:
    transform = transform.to(torch.float64).without_gradients()
    with torch.no_grad():
        return torch.cat([transform.map_points(chunk) for chunk in world_points.split(1 << 17)])


def _correlation(first: Tensor, second: Tensor) -> float | None:
    first, second = first - first.mean(), second - second.mean()
    scale = float(first.norm() * second.norm())
    return float(first @ second) / scale if scale > 0 else None


def _joint(first: Tensor, second: Tensor) -> Tensor:
    """Joint probabilities (BINS, BINS)."""
    cells = _bins(first) * BINS + _bins(second)
    return torch.bincount(cells, minlength=BINS * BINS).double().view(BINS, BINS) / len(first)


def _bins(values: Tensor) -> Tensor:
    low, high = values.min(), values.max()
    return ((values - low) / (high - low).clamp_min(1e-12) * BINS).long().clamp(0, BINS - 1)


def _information(joint: Tensor) -> tuple[float, float]:
    """Mutual information and joint entropy in nats."""
    entropies = [float(-torch.xlogy(p, p).sum()) for p in (joint.sum(1), joint.sum(0), joint)]
    return entropies[0] + entropies[1] - entropies[2], entropies[2]
