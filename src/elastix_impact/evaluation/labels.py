"""How well labelled structures overlap, and how far their surfaces are apart, per label."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import mean
from typing import Any, final

import numpy as np
from torch import Tensor

from .surfaces import Surface, surface_distance

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
    names
        What structures are called, as far as that is known.
    """

    scores: tuple[LabelScore, ...]
    only_in_one: tuple[int, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)

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
        """Means, and name and numbers per label; `names` has those of `only_in_one` too."""
        known = sorted({*self.only_in_one, *(score.label for score in self.scores)} & self.names.keys())
        return {
            "n": len(self.scores),
            "only_in_one": list(self.only_in_one),
            "names": {str(label): self.names[label] for label in known},
            "mean_dice": self.mean_dice,
            "mean_hd95_mm": self.mean_hd95_mm,
            "mean_assd_mm": self.mean_assd_mm,
            "labels": [{"name": self.names.get(score.label), **asdict(score)} for score in self.scores],
        }


def _mean_of_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known else None


@final
class Structures:
    """The structures that two images have, the background, 0, excluded: what can be compared after each motion.

    What does not depend on the motion, the fixed structures and their surfaces, is computed once.

    Parameters
    ----------
    fixed, moving
        Labels ((z, )y, x) of both images, integers; those of the moving image before it was moved, of any shape.
    spacing
        Of the fixed grid, x, y(, z), mm.
    names
        What structures are called, by label.

    Attributes
    ----------
    present
        The labels of the fixed and of the moving image, ascending.
    """

    def __init__(
        self, fixed: Tensor, moving: Tensor, spacing: Sequence[float], names: Mapping[int, str] | None = None
    ) -> None:
        present = [set(labels.unique().tolist()) - {BACKGROUND} for labels in (fixed, moving)]
        self.present = tuple(sorted(present[0])), tuple(sorted(present[1]))
        self._labels = np.asarray(sorted(present[0] & present[1]), dtype=np.int64)
        self._only_in_one = tuple(sorted(present[0] ^ present[1]))
        self._names = names or {}
        self._steps = tuple(reversed(tuple(spacing)))
        self._fixed = self._regions(fixed)

    @property
    def has_common(self) -> bool:
        """Whether there is anything to compare."""
        return len(self._labels) > 0

    def compare(self, moved: Tensor) -> LabelSummary | None:
        """The scores of moving labels that were brought onto the fixed grid; None if there is no common structure.

        A structure that was moved out of the grid scores 0.
        """
        if not self.has_common:
            return None
        regions = self._regions(moved)
        scores = (self._score(number, regions) for number in range(1, len(self._labels) + 1))
        return LabelSummary(tuple(scores), self._only_in_one, self._names)

    def _regions(self, labels: Tensor) -> "_Regions":
        return _Regions(_numbered(labels, self._labels), len(self._labels), self._steps)

    def _score(self, number: int, moved: "_Regions") -> LabelScore:
        fixed, both = self._fixed, _intersection(self._fixed.boxes[number - 1], moved.boxes[number - 1])
        sizes = int(fixed.sizes[number]), int(moved.sizes[number])
        shared = int(((fixed.numbers[both] == number) & (moved.numbers[both] == number)).sum()) if both else 0
        apart = surface_distance(fixed.surface(number), moved.surface(number)) if all(sizes) else None
        voxel = float(np.prod(self._steps)) / (CUBIC_MM_PER_ML if len(self._steps) == 3 else 1.0)
        return LabelScore(
            label=int(self._labels[number - 1]),
            dice=2.0 * shared / max(sum(sizes), 1),
            hd95_mm=None if apart is None else apart.hd95,
            assd_mm=None if apart is None else apart.assd,
            fixed_volume=sizes[0] * voxel,
            moved_volume=sizes[1] * voxel,
        )


Box = tuple[slice, ...] | None


@final
class _Regions:
    """The regions 1, 2, ... `count` of one image: sizes in voxels, boxes, and surfaces, made when they are needed."""

    def __init__(self, numbers: np.ndarray, count: int, steps: Sequence[float]) -> None:
        from scipy.ndimage import find_objects

        self.numbers, self._steps = numbers, steps
        self.sizes = np.bincount(numbers.ravel(), minlength=count + 1)
        self.boxes: list[Box] = find_objects(numbers, max_label=count) if count else []
        self._surfaces: dict[int, Surface] = {}

    def surface(self, number: int) -> Surface:
        """The surface of a region that is not empty."""
        if number not in self._surfaces:
            box = self.boxes[number - 1]
            assert box is not None
            corner = [one.start for one in box]
            self._surfaces[number] = Surface(self.numbers[box] == number, corner, self._steps)
        return self._surfaces[number]


def _numbered(labels: Tensor, names: np.ndarray) -> np.ndarray:
    """The labels as 1, 2, ... in the order of `names`, 0 for all others."""
    values = labels.numpy()
    if len(names) == 0:
        return np.zeros(values.shape, dtype=np.int32)
    place = np.searchsorted(names, values).clip(0, len(names) - 1)
    return np.where(names[place] == values, place + 1, 0).astype(np.int32)


def _intersection(first: Box, second: Box) -> Box:
    """The common part of two boxes, None if there is none."""
    if first is None or second is None:
        return None
    ends = [(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(first, second)]
    return tuple(slice(*end) for end in ends) if all(low < high for low, high in ends) else None
