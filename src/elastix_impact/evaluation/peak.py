"""Whether an alignment stands out: the evidence for it against that for the same transform moved beside.

A right alignment is a clear peak of the evidence: moved by a few millimetres in any direction, or by many, it is worse.
Noise, another patient or a mirrored image leave no peak, or a low one. All of it without optimising anything.
"""

import itertools
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from .evidence import LEAST_PLACES, Comparison, Evidence
from .scene import Look

NEAR, FAR = 0.05, 0.2
"""How far beside, as shares of the fixed image's longest side."""


@final
@dataclass(frozen=True)
class Peak:
    """By how much the evidence is better than beside.

    Attributes
    ----------
    nmi_near, nmi_far
        Normalised mutual information: the mean lead over places nearby, and far away.
    gradients_near, gradients_far
        The same of the gradient agreement.
    nmi_beaten, gradients_beaten
        Share in [0, 1] of the directions in which the evidence nearby is better than here.
    """

    nmi_near: float
    nmi_far: float
    gradients_near: float
    gradients_far: float
    nmi_beaten: float
    gradients_beaten: float


def peak_of(comparison: Comparison, look: Look) -> Peak | None:
    """The peak at `look`; None where too little is seen by both images to tell."""
    near, far = (_leads(comparison, look, share * comparison.scene.extent) for share in (NEAR, FAR))
    if len(near) == 0:
        return None
    far = far if len(far) else near
    beaten = (near < 0).double().mean(0)
    return Peak(
        nmi_near=float(near[:, 0].mean()),
        nmi_far=float(far[:, 0].mean()),
        gradients_near=float(near[:, 1].mean()),
        gradients_far=float(far[:, 1].mean()),
        nmi_beaten=float(beaten[0]),
        gradients_beaten=float(beaten[1]),
    )


def _leads(comparison: Comparison, look: Look, distance: float) -> Tensor:
    """Lead in mutual information and gradients (n, 2) over the places `distance` mm beside, in each direction."""
    leads = []
    for direction in _directions(look.mapped.shape[1]):
        shift = distance * direction
        at = look.seen & comparison.scene.are_seen(look.mapped + shift)
        if int(at.sum()) >= LEAST_PLACES:
            leads.append(_difference(comparison.evidence(look, at), comparison.evidence(look, at, shift)))
    return torch.tensor(leads, dtype=torch.float64).view(-1, 2)


def _difference(here: Evidence, there: Evidence) -> tuple[float, float]:
    return here.nmi - there.nmi, here.gradients - there.gradients


def _directions(dimension: int) -> list[Tensor]:
    """Unit vectors along the axes and the space diagonals, both ways."""
    along = torch.eye(dimension, dtype=torch.float64)
    across = [torch.tensor(signs, dtype=torch.float64) for signs in itertools.product((-1.0, 1.0), repeat=dimension)]
    return [*along, *-along, *(vector / vector.norm() for vector in across)]
