"""Rigid poses: where one image may lie in the other."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from .rotations import angles_between


@final
@dataclass(frozen=True, eq=False)
class Poses:
    """K rigid maps from fixed to moving world points, x -> R (x - centre) + centre + translation, float64, mm.

    Attributes
    ----------
    scores
        How well each does, higher is better.
    """

    rotations: Float[Tensor, "K D D"]
    translations: Float[Tensor, "K D"]
    centre: Float[Tensor, " D"]
    scores: Float[Tensor, " K"]

    def __len__(self) -> int:
        return len(self.scores)

    def at(self, places: Tensor) -> "Poses":
        """Those at some places, in that order."""
        return Poses(self.rotations[places], self.translations[places], self.centre, self.scores[places])

    def then(self, others: "Poses") -> "Poses":
        """These and others about the same centre."""
        return Poses(
            torch.cat([self.rotations, others.rotations]),
            torch.cat([self.translations, others.translations]),
            self.centre,
            torch.cat([self.scores, others.scores]),
        )

    def best(self, most: int, angle: float, distance: float) -> "Poses":
        """The best of them that differ by more than `angle` radians or by `distance` mm at the centre, best first."""
        order = self.scores.argsort(descending=True, stable=True)
        left = self.at(order)
        apart = (angles_between(left.rotations.unsqueeze(1), left.rotations.unsqueeze(0)) > angle) | (
            torch.cdist(left.translations, left.translations) > distance
        )
        kept: list[int] = []
        open_ones = torch.ones(len(left), dtype=torch.bool)
        while len(kept) < most and bool(open_ones.any()):
            kept.append(int(open_ones.int().argmax()))
            open_ones &= apart[kept[-1]]
            open_ones[kept[-1]] = False
        return left.at(torch.tensor(kept, dtype=torch.int64))

    def moved(self, translation: Float[Tensor, " D"]) -> "Poses":
        """The same with this added to their translations, mm."""
        return Poses(self.rotations, self.translations + translation, self.centre, self.scores)

    def scored(self, scores: Float[Tensor, " K"]) -> "Poses":
        """The same with other scores."""
        return Poses(self.rotations, self.translations, self.centre, scores)


def identity_pose(centre: tuple[float, ...]) -> Poses:
    """One pose that moves nothing, score 0."""
    dimension = len(centre)
    rotation = torch.eye(dimension, dtype=torch.float64).unsqueeze(0)
    zeros = torch.zeros(1, dimension, dtype=torch.float64)
    return Poses(rotation, zeros, torch.tensor(centre, dtype=torch.float64), torch.zeros(1, dtype=torch.float64))
