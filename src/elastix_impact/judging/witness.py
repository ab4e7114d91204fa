"""Evidence about the transforms of a pair, stage after stage, from the images alone."""

from dataclasses import asdict, dataclass, replace
from typing import Any, final

import torch

from elastix_impact.evaluation.evidence import LEAST_PLACES, Comparison, Evidence
from elastix_impact.evaluation.peak import Peak, peak_of
from elastix_impact.evaluation.scene import Look, Scene, common_spacing
from elastix_impact.evaluation.space import Space, space_of
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.masks import mask_on, shrink
from elastix_impact.geometry.seen import seen_mask
from elastix_impact.transforms.base import AbstractTransform

RIM_SPACINGS = 3.0
"""How far inside a field of view the witness looks, in the common voxel size: smoothing and gradients reach so far."""


@final
@dataclass(frozen=True, eq=False)
class Testimony:
    """Two transforms of one pair side by side.

    Attributes
    ----------
    before, after
        At the places that both see; None where these are too few.
    space_before, space_after
        What each does to space.
    moved_seen_mm, moved_unseen_mm
        95th percentile of the distance between the two, where `before` saw the moving image and where it did not; None
        where there is no such place.
    """

    before: Evidence | None
    after: Evidence | None
    space_before: Space
    space_after: Space
    moved_seen_mm: float | None
    moved_unseen_mm: float | None

    def to_json(self) -> dict[str, dict[str, Any]]:
        """All numbers, ``"before"`` and ``"after"``."""
        moved = {"moved_seen_mm": self.moved_seen_mm, "moved_unseen_mm": self.moved_unseen_mm}
        return {
            "before": _numbers(self.before) | asdict(self.space_before),
            "after": _numbers(self.after) | asdict(self.space_after) | moved,
        }


@final
@dataclass(frozen=True, eq=False)
class Witness:
    """Looks at transforms of one pair; see `Scene`."""

    scene: Scene

    @staticmethod
    def of(fixed: Image, moving: Image, fixed_mask: Image | None = None, moving_mask: Image | None = None) -> "Witness":
        """A witness of two images, who looks inside the masks and what the images really show.

        Not at the rim of a field of view: smoothed, the padding beyond makes an edge there that moves with no anatomy.
        """
        rim = RIM_SPACINGS * common_spacing(fixed, moving)
        return Witness(
            Scene.of(
                fixed,
                moving,
                fixed_seen=_inside_both(fixed, _without_rim(fixed, rim), fixed_mask),
                moving_seen=_inside_both(moving, _without_rim(moving, rim), moving_mask),
            )
        )

    def look(self, transform: AbstractTransform | None) -> Look:
        """See `Scene.look`."""
        return self.scene.look(transform)

    def space(self, look: Look) -> Space:
        """What a transform does to space."""
        return space_of(self.scene, look)

    def peak(self, look: Look) -> Peak | None:
        """Whether a transform stands out against its surroundings."""
        return peak_of(Comparison.of(self.scene, look), look)

    def both(self, before: Look, after: Look) -> tuple[Evidence, Evidence] | None:
        """The evidence for two transforms at the places that both see; None if these are too few."""
        common = before.seen & after.seen
        if int(common.sum()) < LEAST_PLACES:
            return None
        comparison = Comparison.of(self.scene, after)
        return comparison.evidence(before, common), comparison.evidence(after, common)

    def testimony(self, before: AbstractTransform | None, after: AbstractTransform) -> Testimony:
        """Two transforms side by side."""
        looks = self.look(before), self.look(after)
        first, second = self.both(*looks) or (None, None)
        moved = torch.linalg.vector_norm(looks[1].mapped - looks[0].mapped, dim=1)
        seen = looks[0].seen
        return Testimony(
            first, second, self.space(looks[0]), self.space(looks[1]), _p95(moved[seen]), _p95(moved[~seen])
        )


def _without_rim(image: Image, rim: float) -> Image | None:
    """Where the image was seen, `rim` mm inside; None = everywhere."""
    seen = seen_mask(image)
    return None if seen is None else shrink(seen, rim)


def _inside_both(image: Image, seen: Image | None, mask: Image | None) -> Image | None:
    """Where both are true, on the image's grid; None = everywhere."""
    if mask is None or seen is None:
        return mask if seen is None else seen
    return replace(seen, data=seen.data & mask_on(image.grid, mask))


def _p95(lengths: torch.Tensor) -> float | None:
    return float(lengths.quantile(0.95)) if len(lengths) else None


def _numbers(evidence: Evidence | None) -> dict[str, Any]:
    return {"places": 0, "nmi": None, "gradients": None} if evidence is None else asdict(evidence)
