"""How well two images agree at given poses, and at equal overlap: the correlation of MIND where both see."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .coarse import Coarse
from .mind import described
from .pose import Poses

LEAST_COMMON = 0.25
"""Share of the smaller region of two poses that must be seen by both for a comparison at equal overlap."""


@final
@dataclass(frozen=True, eq=False)
class Agreement:
    """Features of both images at the places of a lattice on the fixed image, the moving image's under K poses.

    Attributes
    ----------
    fixed, moving
        MIND, (C, N) and (K, C, N).
    common
        Which places both images see, (K, N).
    overlaps
        Their number as a share of the smaller of the two seen regions (K,).
    """

    fixed: Float[Tensor, "C N"]
    moving: Float[Tensor, "K C N"]
    common: Bool[Tensor, "K N"]
    overlaps: Float[Tensor, " K"]

    @staticmethod
    def of(fixed: Coarse, moving: Coarse, poses: Poses, voxel: float) -> "Agreement":
        """The agreement at `poses` on a lattice of `voxel` mm."""
        axes = torch.tensor(fixed.grid.direction, dtype=torch.float64) * voxel
        size = fixed.lattice_size(axes.unsqueeze(0))
        features, seen = _features(fixed, size, axes.unsqueeze(0), poses.centre.unsqueeze(0))
        centres = poses.centre + poses.translations
        others, others_seen = _features(moving, size, poses.rotations @ axes, centres)
        common = seen & others_seen
        smaller = min(int(seen.sum()), places(moving, voxel))
        return Agreement(features[0], others, common, common.sum(1).double() / max(smaller, 1))

    def score(self, pose: int) -> float:
        """The correlation at all places that both images see, -1 to 1; 0 where there is none."""
        return self._correlation(pose, self.common[pose])

    def weight(self, pose: int) -> float:
        """The score times the root of the overlap, as in `FixedSpectrum.correlations`: what poses are ranked by."""
        return self.score(pose) * min(float(self.overlaps[pose]), 1.0) ** 0.5

    def scores_of(self, first: int, second: int) -> tuple[float, float]:
        """The correlations at two poses, at the places that are seen at both; at their own if these are too few."""
        both = self.common[first] & self.common[second]
        least = min(int(self.common[first].sum()), int(self.common[second].sum()))
        if int(both.sum()) < LEAST_COMMON * least:
            return self.score(first), self.score(second)
        return self._correlation(first, both), self._correlation(second, both)

    def lead(self, first: int, second: int) -> float:
        """By how much the first pose's correlation exceeds the second's, see `scores_of`."""
        own, other = self.scores_of(first, second)
        return own - other

    def _correlation(self, pose: int, at: Bool[Tensor, " N"]) -> float:
        if not bool(at.any()):
            return 0.0
        first, second = (one[:, at] - one[:, at].mean(1, keepdim=True) for one in (self.fixed, self.moving[pose]))
        return float((first * second).sum() / (first.norm() * second.norm()).clamp_min(1e-6))


def places(image: Coarse, voxel: float) -> int:
    """How many places of a lattice of `voxel` mm along its own axes the image sees."""
    steps = (torch.tensor(image.grid.direction, dtype=torch.float64) * voxel).unsqueeze(0)
    middle = torch.tensor([image.centre], dtype=torch.float64)
    return int(_features(image, image.lattice_size(steps), steps, middle)[1].sum())


def _features(
    image: Coarse, size: tuple[int, ...], steps: Float[Tensor, "K D D"], middles: Float[Tensor, "K D"]
) -> tuple[Float[Tensor, "K C N"], Bool[Tensor, "K N"]]:
    features, seen = described(image, size, steps, middles)
    return features.flatten(2), seen.flatten(1) > 0
