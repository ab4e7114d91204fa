"""Judging a registration: all measures that the inputs allow."""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar, final

import torch
from torch import Tensor

from elastix_impact.errors import ElastixImpactError
from elastix_impact.evaluation.consistency import ConsistencySummary, inverse_consistency
from elastix_impact.evaluation.deformation import DeformationSummary, summarise_deformation
from elastix_impact.evaluation.labels import LabelSummary, Structures
from elastix_impact.evaluation.landmarks import landmark_distance, target_registration_error
from elastix_impact.evaluation.places import MOST_VOXELS, Places, places_in
from elastix_impact.evaluation.similarity import IntensitySummary, compare_intensities
from elastix_impact.evaluation.summary import EvaluationSummary, LandmarkErrors
from elastix_impact.geometry.image import Image
from elastix_impact.io.scale import MILLIMETRES, length_unit_of
from elastix_impact.io.warning import InputWarning
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.resample import resample_labels
from elastix_impact.transforms.translation import TranslationTransform

from .dimensions import check_same_dimension

Found = TypeVar("Found")

MOST_NAMED = 8
"""Labels that a warning names."""

EVALUATION_FAILURES = (ElastixImpactError, RuntimeError, ValueError, MemoryError)
"""What may go wrong in measuring; it never costs the result of a run."""


@final
@dataclass(frozen=True, eq=False)
class Judged:
    """What a transform is judged by; None where it was not given. All in the same world, mm.

    Attributes
    ----------
    transform
        What the registration found; None if it failed, or if a `Judge` is told later.
    initial
        Where the registration started, if not at the identity.
    landmarks, names
        Paired fixed and moving world points (N, D), and what they are called.
    labels
        Segmentations of the fixed and the moving image, integers.
    label_names
        What structures are called.
    """

    transform: AbstractTransform | None
    initial: AbstractTransform | None = None
    fixed: Image | None = None
    moving: Image | None = None
    fixed_mask: Image | None = None
    landmarks: tuple[Tensor, Tensor] | None = None
    names: tuple[str, ...] = ()
    labels: tuple[Image, Image] | None = None
    label_names: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_same_dimension(self._dimensions())

    def _dimensions(self) -> dict[str, int | None]:
        """Dimensions of all that may be there, by what it is called; images first."""
        images = (self.fixed, self.moving, self.fixed_mask, *(self.labels or ()))
        words = ("the fixed image", "the moving image", "the fixed mask", "the fixed labels", "the moving labels")
        found: dict[str, int | None] = {
            f"{word} {image.name}": image.grid.dimension for word, image in zip(words, images) if image is not None
        }
        for name, points in zip(("the fixed landmarks", "the moving landmarks"), self.landmarks or ()):
            found[name] = points.shape[1]
        for name, one in (("the transform", self.transform), ("the initial transform", self.initial)):
            found[name] = None if one is None else one.dimension
        return found


def evaluate(
    judged: Judged, *, consistency: bool = False, back: AbstractTransform | None = None, most_voxels: int = MOST_VOXELS
) -> EvaluationSummary:
    """All measures that `judged` allows.

    Parameters
    ----------
    consistency, back
        See `inverse_consistency`.
    most_voxels
        At how many voxels transform and intensities are looked at, at most.

    Raises
    ------
    InputError
        If transform and `back` differ in dimension; a `Judged` of several dimensions can't be made.
    """
    judge = Judge(judged, most_voxels)
    return judge.evaluate(judged.transform, consistency=consistency, back=back)


@final
class Judge:
    """Judges transform after transform of one pair: what does not depend on them is measured once.

    That is all of "before" and "initial", the voxels that are looked at, the fixed structures with their surfaces.

    Parameters
    ----------
    judged
        The pair; its transform is not looked at.
    most_voxels
        See `evaluate`.
    """

    def __init__(self, judged: Judged, most_voxels: int = MOST_VOXELS) -> None:
        self._judged, self._most_voxels = judged, most_voxels
        self._moved: tuple[AbstractTransform | None, Tensor] | None = None
        self._labels_problem = ""

    def evaluate(
        self, transform: AbstractTransform | None, *, consistency: bool = False, back: AbstractTransform | None = None
    ) -> EvaluationSummary:
        """All measures of a transform; see the function `evaluate`.

        Warns
        -----
        InputWarning
            If the segmentations have no label in common; once.
        """
        seconds: dict[str, float] = {}

        def timed(name: str, measure: Callable[[], Found]) -> Found:
            began = time.perf_counter()
            found = measure()
            seconds[name] = time.perf_counter() - began
            return found

        return EvaluationSummary(
            landmarks=timed("landmarks", lambda: self._landmarks(transform)),
            labels=timed("labels", lambda: _after(self._labels_still, self._label_scores, transform)),
            deformation=timed("transform", lambda: self._deformation(transform)),
            intensity=timed("intensity", lambda: _after(self._intensities_still, self._intensities, transform)),
            consistency=timed("consistency", lambda: self._consistency(transform, back)) if consistency else None,
            labels_problem=self._labels_problem,
            seconds=seconds,
            unit=MILLIMETRES if self._judged.fixed is None else length_unit_of(self._judged.fixed),
        )

    @cached_property
    def _places(self) -> Places | None:
        """Where transforms are looked at: on the grid of the fixed image, else of its labels."""
        judged = self._judged
        image = judged.fixed if judged.fixed is not None else judged.labels[0] if judged.labels else None
        return None if image is None else places_in(image.grid, judged.fixed_mask, self._most_voxels)

    def _still(self, measure: "Measure[Found]") -> dict[str, Found]:
        """What a measure gives before a registration: of nothing, None, and of the initial transform."""
        initial = self._judged.initial
        found = {"before": measure(None)} | ({} if initial is None else {"initial": measure(initial)})
        return {moment: one for moment, one in found.items() if one is not None}

    @cached_property
    def _errors_still(self) -> dict[str, Tensor]:
        return self._still(self._errors)

    @cached_property
    def _labels_still(self) -> dict[str, LabelSummary]:
        return self._still(self._label_scores)

    @cached_property
    def _intensities_still(self) -> dict[str, IntensitySummary]:
        return self._still(self._intensities)

    def _landmarks(self, transform: AbstractTransform | None) -> LandmarkErrors | None:
        judged = self._judged
        if judged.landmarks is None:
            return None
        fixed, moving = judged.landmarks
        names = judged.names or tuple(str(number) for number in range(1, len(fixed) + 1))
        return LandmarkErrors(names, fixed, moving, _after(self._errors_still, self._errors, transform))

    def _errors(self, transform: AbstractTransform | None) -> Tensor | None:
        if self._judged.landmarks is None:
            return None
        fixed, moving = self._judged.landmarks
        if transform is None:
            return landmark_distance(fixed, moving)
        return target_registration_error(transform, fixed, moving)

    @cached_property
    def _structures(self) -> Structures | None:
        if self._judged.labels is None:
            return None
        fixed, moving = self._judged.labels
        structures = Structures(fixed.data, moving.data, fixed.grid.spacing, self._judged.label_names)
        if not structures.has_common:
            self._labels_problem = _nothing_in_common(structures, fixed.name, moving.name)
            warnings.warn(self._labels_problem, InputWarning, stacklevel=1)
        return structures

    def _label_scores(self, transform: AbstractTransform | None) -> LabelSummary | None:
        return None if self._structures is None else self._structures.compare(self.moved_labels(transform))

    def moved_labels(self, transform: AbstractTransform | None) -> Tensor:
        """The moving labels, which must be there, on the grid of the fixed ones; the last ones are kept."""
        assert self._judged.labels is not None
        if self._moved is None or self._moved[0] is not transform:
            fixed, moving = self._judged.labels
            still = TranslationTransform(torch.zeros(fixed.grid.dimension, dtype=torch.float64))
            self._moved = transform, resample_labels(moving, transform or still, fixed.grid, 0.0)
        return self._moved[1]

    def _intensities(self, transform: AbstractTransform | None) -> IntensitySummary | None:
        fixed, moving, places = self._judged.fixed, self._judged.moving, self._places
        if fixed is None or moving is None or places is None:
            return None
        return compare_intensities(fixed, moving, transform, places)

    def _deformation(self, transform: AbstractTransform | None) -> DeformationSummary | None:
        if transform is None or self._places is None:
            return None
        return summarise_deformation(transform, self._places)

    def _consistency(
        self, transform: AbstractTransform | None, back: AbstractTransform | None
    ) -> ConsistencySummary | None:
        if transform is None or self._places is None:
            return None
        if back is not None:
            check_same_dimension({"the transform": transform.dimension, "the inverse transform": back.dimension})
        return inverse_consistency(transform, self._places, back)


def _nothing_in_common(structures: Structures, fixed: str, moving: str) -> str:
    words = [", ".join(map(str, one[:MOST_NAMED])) + ", ..." * (len(one) > MOST_NAMED) for one in structures.present]
    return (
        f"no label is in both segmentations, so that their overlap is not measured: {fixed} has {words[0] or 'none'}, "
        f"{moving} {words[1] or 'none'}. Give the same structure the same number in both"
    )


Measure = Callable[[AbstractTransform | None], Found | None]
"""A measure of a transform, None = the identity; None where the inputs do not allow it."""


def _after(
    still: Mapping[str, Found], measure: Measure[Found], transform: AbstractTransform | None
) -> dict[str, Found]:
    """What was measured before a registration, and after it if there is a transform."""
    found = None if transform is None else measure(transform)
    return dict(still) | ({} if found is None else {"after": found})
