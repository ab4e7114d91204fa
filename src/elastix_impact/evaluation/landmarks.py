"""How far mapped landmarks end from where they should: the target registration error (TRE).

Fitzpatrick & West, "The distribution of target registration error in rigid-body point-based registration",
IEEE TMI 2001.
"""

from dataclasses import asdict, dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import LandmarkError
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points

SMALL_ERROR = 2.0
"""mm; the share of landmarks below it is reported."""


@final
@dataclass(frozen=True, slots=True)
class LandmarkSummary:
    """What one set of errors amounts to. All lengths in mm; `sd` is the sample standard deviation (0 for one point).

    Attributes
    ----------
    n
        Number of landmarks.
    p75, p95
        75th and 95th percentile, linearly interpolated.
    share_under_2mm
        Share in [0, 1] of the landmarks with an error below 2 mm.
    """

    n: int
    mean: float
    sd: float
    median: float
    p75: float
    p95: float
    maximum: float
    share_under_2mm: float

    def to_json(self) -> dict[str, float]:
        """The numbers by name."""
        return asdict(self)


def landmark_distance(fixed_points: Points, moving_points: Points) -> Tensor:
    """Distances (N,) in mm between paired world points (N, D): the error of doing nothing.

    Raises
    ------
    LandmarkError
        If the two sets have no points, or differ in number or dimension.
    """
    _check_pairs(fixed_points, moving_points)
    return torch.linalg.vector_norm(fixed_points.double() - moving_points.double(), dim=1)


def target_registration_error(transform: AbstractTransform, fixed_points: Points, moving_points: Points) -> Tensor:
    """Distances (N,) in mm between mapped fixed and moving landmarks.

    Parameters
    ----------
    transform
        Map from fixed to moving world points, in mm.
    fixed_points, moving_points
        Paired world points in mm, (N, D).

    Raises
    ------
    LandmarkError
        If the two sets have no points, or differ in number or in dimension from each other or the transform.
    """
    _check_pairs(fixed_points, moving_points)
    if fixed_points.shape[1] != transform.dimension:
        raise LandmarkError(
            f"the landmarks have {fixed_points.shape[1]} coordinates, the transform maps {transform.dimension}",
            expected=f"{transform.dimension} coordinates per landmark",
            remedy="Give the landmarks of the images that were registered",
        )
    mapped = transform.map_points(fixed_points.double())
    return landmark_distance(mapped, moving_points)


def summarise(errors: Tensor) -> LandmarkSummary:
    """The summary of errors (N,) in mm, N >= 1."""
    values = errors.detach().double().cpu()
    median, p75, p95 = torch.quantile(values, torch.tensor([0.5, 0.75, 0.95], dtype=torch.float64)).tolist()
    return LandmarkSummary(
        n=values.numel(),
        mean=float(values.mean()),
        sd=float(values.std()) if values.numel() > 1 else 0.0,
        median=median,
        p75=p75,
        p95=p95,
        maximum=float(values.max()),
        share_under_2mm=float((values < SMALL_ERROR).double().mean()),
    )


def _check_pairs(fixed_points: Tensor, moving_points: Tensor) -> None:
    if fixed_points.shape != moving_points.shape or fixed_points.shape[0] == 0:
        raise LandmarkError(
            f"{fixed_points.shape[0]} fixed landmarks of {fixed_points.shape[1]} coordinates cannot be paired with "
            f"{moving_points.shape[0]} moving landmarks of {moving_points.shape[1]}",
            expected="the same number of landmarks, at least one, in the same order",
            remedy="Give two files that mark the same places",
        )
