"""Judging a registration: all measures that the inputs allow."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, final

import torch
from torch import Tensor

from elastix_impact.errors import ElastixImpactError, ImageError
from elastix_impact.evaluation.consistency import ConsistencySummary, inverse_consistency
from elastix_impact.evaluation.deformation import DeformationSummary, summarise_deformation
from elastix_impact.evaluation.labels import LabelSummary, compare_labels
from elastix_impact.evaluation.landmarks import landmark_distance, target_registration_error
from elastix_impact.evaluation.places import MOST_VOXELS, Places, places_in
from elastix_impact.evaluation.similarity import IntensitySummary, compare_intensities
from elastix_impact.evaluation.summary import EvaluationSummary, LandmarkErrors
from elastix_impact.geometry.image import Image
from elastix_impact.io.images import read_labels
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.resample import resample_labels
from elastix_impact.transforms.translation import TranslationTransform

Found = TypeVar("Found")

EVALUATION_FAILURES = (ElastixImpactError, RuntimeError, ValueError, MemoryError)
"""What may go wrong in measuring; it never costs the result of a run."""


@final
@dataclass(frozen=True, eq=False)
class Judged:
    """What a transform is judged by; None where it was not given. All in the same world, mm.

    Attributes
    ----------
    transform
        What the registration found; None if it failed.
    initial
        Where the registration started, if not at the identity.
    landmarks, names
        Paired fixed and moving world points (N, D), and what they are called.
    labels
        Segmentations of the fixed and the moving image, integers.
    """

    transform: AbstractTransform | None
    initial: AbstractTransform | None = None
    fixed: Image | None = None
    moving: Image | None = None
    fixed_mask: Image | None = None
    landmarks: tuple[Tensor, Tensor] | None = None
    names: tuple[str, ...] = ()
    labels: tuple[Image, Image] | None = None

    @property
    def moments(self) -> dict[str, AbstractTransform | None]:
        """The transform by moment; None = the identity."""
        initial = {} if self.initial is None else {"initial": self.initial}
        found = {} if self.transform is None else {"after": self.transform}
        return {"before": None, **initial, **found}


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
    LandmarkError
        If landmarks and transform differ in dimension.
    """
    seconds: dict[str, float] = {}

    def timed(name: str, measure: Callable[[], Found]) -> Found:
        began = time.perf_counter()
        found = measure()
        seconds[name] = time.perf_counter() - began
        return found

    places = _places(judged, most_voxels)
    return EvaluationSummary(
        landmarks=timed("landmarks", lambda: _landmark_errors(judged)),
        labels=timed("labels", lambda: _label_scores(judged)),
        deformation=timed("transform", lambda: _deformation(judged, places)),
        intensity=timed("intensity", lambda: _intensities(judged, places)),
        consistency=timed("consistency", lambda: _consistency(judged, back, places)) if consistency else None,
        seconds=seconds,
    )


def _places(judged: Judged, most_voxels: int) -> Places | None:
    """Where the transform is looked at: on the grid of the fixed image, else of its labels."""
    image = judged.fixed if judged.fixed is not None else judged.labels[0] if judged.labels else None
    return None if image is None else places_in(image.grid, judged.fixed_mask, most_voxels)


def _deformation(judged: Judged, places: Places | None) -> DeformationSummary | None:
    if judged.transform is None or places is None:
        return None
    return summarise_deformation(judged.transform, places)


def _landmark_errors(judged: Judged) -> LandmarkErrors | None:
    if judged.landmarks is None:
        return None
    fixed, moving = judged.landmarks
    errors = {
        moment: landmark_distance(fixed, moving)
        if transform is None
        else target_registration_error(transform, fixed, moving)
        for moment, transform in judged.moments.items()
    }
    names = judged.names or tuple(str(number) for number in range(1, len(fixed) + 1))
    return LandmarkErrors(names, fixed, moving, errors)


def _label_scores(judged: Judged) -> dict[str, LabelSummary]:
    if judged.labels is None:
        return {}
    fixed, moving = judged.labels
    still = TranslationTransform(torch.zeros(fixed.grid.dimension, dtype=torch.float64))
    scores = {}
    for moment, transform in judged.moments.items():
        moved = resample_labels(moving, transform or still, fixed.grid, 0.0)
        found = compare_labels(fixed.data, moved, moving.data, fixed.grid.spacing)
        if found is not None:
            scores[moment] = found
    return scores


def _intensities(judged: Judged, places: Places | None) -> dict[str, IntensitySummary]:
    if judged.fixed is None or judged.moving is None or places is None:
        return {}
    found = {
        moment: compare_intensities(judged.fixed, judged.moving, transform, places)
        for moment, transform in judged.moments.items()
    }
    return {moment: one for moment, one in found.items() if one is not None}


def _consistency(judged: Judged, back: AbstractTransform | None, places: Places | None) -> ConsistencySummary | None:
    if judged.transform is None or places is None:
        return None
    return inverse_consistency(judged.transform, places, back)


def read_label_pair(fixed: Path, moving: Path) -> tuple[Image, Image]:
    """Two segmentations, integers.

    Raises
    ------
    ImageError
        If a file can't be read, its values are no whole numbers, or the two differ in dimension.
    """
    pair = _whole_numbers(read_labels(fixed)), _whole_numbers(read_labels(moving))
    if pair[0].grid.dimension != pair[1].grid.dimension:
        raise ImageError(
            f"labels of {pair[1].grid.dimension} dimensions beside those of {pair[0].grid.dimension}",
            where=str(moving),
            remedy="Give the segmentations of the two images that are registered",
        )
    return pair


def _whole_numbers(labels: Image) -> Image:
    if not labels.data.is_floating_point():
        return labels
    if not bool((labels.data == labels.data.round()).all()):
        raise ImageError(
            "the labels are no whole numbers",
            where=labels.name,
            expected="a segmentation: one whole number per structure",
            remedy="Give the segmentation, resampled with nearest neighbours if it was resampled",
        )
    return Image(labels.data.round().long(), labels.grid, labels.name, labels.pixel_type)
