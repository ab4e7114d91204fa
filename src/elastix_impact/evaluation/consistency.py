"""Whether a way forth and a way back meet: inverse consistency.

With the transform of a registration in the other direction it tells how far the two contradict each other
(Christensen & Johnson, "Consistent image registration", IEEE TMI 2001). With the transform's own inverse it tells
where there is none: where the transform folds.
"""

from dataclasses import asdict, dataclass
from typing import final

import torch

from elastix_impact.errors import InputError
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.inverse import invert_points

from .places import Places


@final
@dataclass(frozen=True)
class ConsistencySummary:
    """|back(there(x)) - x| in mm at voxels of the fixed image.

    `against` is ``"own inverse"`` or ``"given transform"``.
    """

    against: str
    voxels: int
    mean_mm: float
    p95_mm: float
    maximum_mm: float

    def to_json(self) -> dict[str, float | str]:
        """The numbers by name."""
        return asdict(self)


def inverse_consistency(
    transform: AbstractTransform, places: Places, back: AbstractTransform | None = None
) -> ConsistencySummary | None:
    """How far points end from where they began; None if there are no places, or the transform has no inverse.

    Parameters
    ----------
    back
        From moving to fixed world points, mm; None = the inverse of `transform`.
    """
    points = places.world_points
    if len(points) == 0:
        return None
    with torch.no_grad():
        mapped = transform.to(torch.float64).without_gradients().map_points(points)
        if back is None:
            try:
                returned = invert_points(transform, mapped, places.grid).world_points
            except InputError:
                return None
        else:
            returned = back.to(torch.float64).without_gradients().map_points(mapped)
    errors = torch.linalg.vector_norm(returned - points, dim=1)
    return ConsistencySummary(
        against="own inverse" if back is None else "given transform",
        voxels=len(errors),
        mean_mm=float(errors.mean()),
        p95_mm=float(errors.quantile(0.95)),
        maximum_mm=float(errors.max()),
    )
