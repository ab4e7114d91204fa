"""Evidence for an alignment that no registration here optimises, on one set of places that all transforms see.

Normalised mutual information as in `similarity`, of smoothed images. Gradient agreement: the mean squared cosine
between the images' gradients, weighted by the strength of both (normalised gradient fields; Haber & Modersitzki,
"Intensity gradient based registration and fusion of multi-modal images", MICCAI 2006): 1 where all edges are parallel,
1 / D by chance.
"""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from .scene import Look, Scene

BINS = 32
TAILS = 0.005
"""Share of the intensities beyond either end of the histogram's range; they count in the outermost bins."""

LEAST_PLACES = 200
"""Fewer common places are no basis for a comparison."""


@final
@dataclass(frozen=True)
class Evidence:
    """How alike two images are at `places` places; `gradients` from 0 to 1, 1 / D by chance."""

    places: int
    nmi: float
    gradients: float


@final
@dataclass(frozen=True, eq=False)
class Comparison:
    """Compares the images of a scene under transforms, at places that are the same for all.

    Attributes
    ----------
    cells
        The histogram's bin of the fixed image at each place (N,).
    edges
        The fixed image's gradient there, scaled to lengths below 1 (N, D).
    limits
        Lowest and highest moving intensity of the histogram.
    edge_scale
        Gradient per mm at which an edge of the moving image counts half.
    """

    scene: Scene
    cells: Tensor
    edges: Tensor
    limits: tuple[float, float]
    edge_scale: float

    @staticmethod
    def of(scene: Scene, look: Look) -> "Comparison":
        """The comparison whose ranges are those of the moving image under `look`."""
        seen = look.seen if bool(look.seen.any()) else torch.ones_like(look.seen)
        values, slopes = scene.moving_at(look.mapped[seen])
        low, high = _limits(scene.values)
        return Comparison(
            scene,
            _cells(scene.values, low, high),
            _scaled(scene.slopes, _edge_scale(scene.slopes)),
            _limits(values),
            _edge_scale(slopes),
        )

    def evidence(self, look: Look, at: Tensor, shift: Tensor | None = None) -> Evidence:
        """The evidence at the places `at` (bool (N,)), with the moving image read `shift` mm (D,) beside."""
        mapped = look.mapped[at] if shift is None else look.mapped[at] + shift
        values, slopes = self.scene.moving_at(mapped)
        pulled = torch.einsum("nij,ni->nj", look.jacobian[at], slopes)
        joint = torch.bincount(self.cells[at] * BINS + _cells(values, *self.limits), minlength=BINS * BINS)
        return Evidence(int(at.sum()), _nmi(joint.double()), _agreement(self.edges[at], self._moving_edges(pulled)))

    def _moving_edges(self, slopes: Tensor) -> Tensor:
        return _scaled(slopes, self.edge_scale)


def _limits(values: Tensor) -> tuple[float, float]:
    ends = torch.quantile(values, torch.tensor([TAILS, 1 - TAILS], dtype=torch.float64))
    return float(ends[0]), float(ends[1])


def _cells(values: Tensor, low: float, high: float) -> Tensor:
    return ((values - low) / max(high - low, 1e-12) * BINS).long().clamp(0, BINS - 1)


def _edge_scale(slopes: Tensor) -> float:
    """The mean length of the gradients: what is much weaker is noise."""
    return max(float(torch.linalg.vector_norm(slopes, dim=1).mean()), 1e-12)


def _scaled(slopes: Tensor, scale: float) -> Tensor:
    return slopes / (slopes.square().sum(1, keepdim=True) + scale**2).sqrt()


def _agreement(first: Tensor, second: Tensor) -> float:
    weight = float((first.square().sum(1) * second.square().sum(1)).sum())
    return float((first * second).sum(1).square().sum()) / weight if weight > 0 else 0.0


def _nmi(joint: Tensor) -> float:
    joint = (joint / joint.sum()).view(BINS, BINS)
    fixed, moving, both = (float(-torch.xlogy(p, p).sum()) for p in (joint.sum(1), joint.sum(0), joint))
    return (fixed + moving) / both if both > 0 else 1.0
