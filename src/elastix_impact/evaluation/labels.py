"""How well labelled structures overlap, and how far their surfaces are apart, per label."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any, final

import numpy as np
from scipy.ndimage import find_objects
from torch import Tensor

from .surfaces import surface_distance

BACKGROUND = 0

CUBIC_MM_PER_ML = 1000.0


@final
@dataclass(frozen=True)
class LabelScore:
    """One structure in the fixed image and in the moved one.

    Attributes
    ----------
    dice
        2 |A and B| / (|A| + |B|) (Dice 1945), from 0 to 1; 0 where one of them is missing.
    hd95_mm, assd_mm
        See `surfaces`; None where one of them is missing.
    fixed_volume, moved_volume
        Millilitres in 3-D, square millimetres in 2-D.
    """

    label: int
    dice: float
    hd95_mm: float | None
    assd_mm: float | None
    fixed_volume: float
    moved_volume: float


@final
@dataclass(frozen=True)
class LabelSummary:
    """The structures that both images have, and their means: over those whose number exists.

    Attributes
    ----------
    only_in_one
        Labels that only one of the images has; they are not scored.
    """

    scores: tuple[LabelScore, ...]
    only_in_one: tuple[int, ...] = ()

    @property
    def mean_dice(self) -> float:
        """Mean Dice over all structures."""
        return mean(score.dice for score in self.scores)

    @property
    def mean_hd95_mm(self) -> float | None:
        """Mean HD95 in mm."""
        return _mean_of_known([score.hd95_mm for score in self.scores])

    @property
    def mean_assd_mm(self) -> float | None:
        """Mean ASSD in mm."""
        return _mean_of_known([score.assd_mm for score in self.scores])

    def to_json(self) -> dict[str, Any]:
        """Means, and the numbers per label."""
        return {
            "n": len(self.scores),
            "only_in_one": list(self.only_in_one),
            "mean_dice": self.mean_dice,
            "mean_hd95_mm": self.mean_hd95_mm,
            "mean_assd_mm": self.mean_assd_mm,
            "labels": [asdict(score) for score in self.scores],
        }


def _mean_of_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known else None


def compare_labels(fixed: Tensor, moved: Tensor, moving: Tensor, spacing: Sequence[float]) -> LabelSummary | None:
    """Scores of the structures that both images have, the background, 0, excluded; None if there are none.

    Parameters
    ----------
    fixed, moved
        Labels ((z, )y, x) of the fixed image, and of the moving one on its grid, integers.
    moving
        Labels of the moving image before it was moved, any shape: a structure moved out of the grid scores 0.
    spacing
        Of the grid, x, y(, z), mm.
    """
    present = [set(labels.unique().tolist()) - {BACKGROUND} for labels in (fixed, moving)]
    names = sorted(present[0] & present[1])
    if not names:
        return None
    numbers = np.asarray(names)
    regions = [_numbered(labels, numbers) for labels in (fixed, moved)]
    boxes = [find_objects(region, max_label=len(names)) for region in regions]
    steps = tuple(reversed(tuple(spacing)))
    voxel = float(np.prod(steps)) / (CUBIC_MM_PER_ML if len(steps) == 3 else 1.0)
    scores = (
        _score(name, number, regions, _union(first, second), steps, voxel)
        for number, (name, first, second) in enumerate(zip(names, *boxes), start=1)
    )
    return LabelSummary(tuple(scores), tuple(sorted(present[0] ^ present[1])))


def _numbered(labels: Tensor, names: np.ndarray) -> np.ndarray:
    """The labels as 1, 2, ... in the order of `names`, 0 for all others."""
    values = labels.numpy()
    place = np.searchsorted(names, values).clip(0, len(names) - 1)
    return np.where(names[place] == values, place + 1, 0).astype(np.int32)


Box = tuple[slice, ...] | None


def _union(first: Box, second: Box) -> Box:
    if first is None or second is None:
        return first or second
    return tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(first, second))


def _score(
    name: int, number: int, regions: Sequence[np.ndarray], box: Box, steps: Sequence[float], voxel: float
) -> LabelScore:
    fixed, moved = (region[box or (slice(0, 0),)] == number for region in regions)
    sizes = int(fixed.sum()), int(moved.sum())
    dice = 2.0 * int((fixed & moved).sum()) / max(sum(sizes), 1)
    apart = surface_distance(fixed, moved, steps) if all(sizes) else None
    return LabelScore(
        label=name,
        dice=dice,
        hd95_mm=None if apart is None else apart.hd95,
        assd_mm=None if apart is None else apart.assd,
        fixed_volume=sizes[0] * voxel,
        moved_volume=sizes[1] * voxel,
    )
