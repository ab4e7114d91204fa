"""Reading what a case gives: images, masks, landmarks, initial transform; each is checked as soon as it is known."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

from elastix_impact.carrying.inputs import CarriedInputs, read_carried
from elastix_impact.carrying.propagate import Frames
from elastix_impact.errors import ImageError, TransformFileError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.io.images import read_image
from elastix_impact.io.label_names import label_names
from elastix_impact.io.masks import read_mask
from elastix_impact.io.pairs import check_pair
from elastix_impact.io.points import read_landmark_pair
from elastix_impact.io.read_transform import StoredTransform, read_transform
from elastix_impact.io.segmentations import read_label_pair
from elastix_impact.io.warning import InputWarning
from elastix_impact.judging.dimensions import check_same_dimension
from elastix_impact.judging.evaluate import Judged
from elastix_impact.parameters.plan import LinearTransformPlan, RegistrationPlan, StagePlan
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points

from .case import Case
from .checks import check_directions, check_masks, check_overlap
from .record import image_facts

Landmarks = tuple[Points, Points]
"""Fixed and moving world points in mm, paired, float64 (N, D)."""


@final
@dataclass(frozen=True, eq=False)
class CaseInputs:
    """What the files of a case hold; None where an optional one was not given. Images are as read, on the CPU."""

    fixed: Image
    moving: Image
    fixed_mask: Image | None
    moving_mask: Image | None
    landmarks: Landmarks | None
    initial: AbstractTransform | None
    landmark_names: tuple[str, ...] = ()
    labels: tuple[Image, Image] | None = None
    label_names: Mapping[int, str] = field(default_factory=dict)
    carried: CarriedInputs = field(default_factory=CarriedInputs)

    def seen_by(self, plan: StagePlan) -> "CaseInputs":
        """The inputs as a plan sees them: UseDirectionCosines "false" moves all but `initial` and `carried`.

        The initial transform sees the images as all plans do; see `check_directions`.
        """
        if plan.use_direction_cosines:
            return self
        landmarks = self.landmarks
        if landmarks is not None:
            landmarks = _turned(landmarks[0], self.fixed.grid), _turned(landmarks[1], self.moving.grid)
        return replace(
            self,
            fixed=self.fixed.without_direction(),
            moving=self.moving.without_direction(),
            fixed_mask=None if self.fixed_mask is None else self.fixed_mask.without_direction(),
            moving_mask=None if self.moving_mask is None else self.moving_mask.without_direction(),
            landmarks=landmarks,
            labels=None if self.labels is None else tuple(one.without_direction() for one in self.labels),
        )

    def judged(self, transform: AbstractTransform | None) -> Judged:
        """What a transform of these inputs is judged by; None = the registration failed."""
        return Judged(
            transform,
            initial=self.initial,
            fixed=self.fixed,
            moving=self.moving,
            fixed_mask=self.fixed_mask,
            landmarks=self.landmarks,
            names=self.landmark_names,
            labels=self.labels,
            label_names=self.label_names,
        )

    def by_words(self) -> dict[str, Any]:
        """What the registration depends on, by what it is."""
        return {
            "the fixed image": self.fixed,
            "the moving image": self.moving,
            "the fixed mask": self.fixed_mask,
            "the moving mask": self.moving_mask,
            "the landmarks": self.landmarks,
            "the initial transform": self.initial,
        }

    def frames(self, plan: StagePlan) -> Frames:
        """Where the images lie as read, and as a plan sees them."""
        seen = self.seen_by(plan)
        return Frames(self.fixed.grid, self.moving.grid, seen.fixed.grid, seen.moving.grid)

    def facts(self) -> dict[str, Any]:
        """Path and geometry of the images and masks, number of landmarks, for the record."""
        images = {
            "fixed": self.fixed,
            "moving": self.moving,
            "fixed_mask": self.fixed_mask,
            "moving_mask": self.moving_mask,
        }
        facts: dict[str, Any] = {role: image_facts(image) for role, image in images.items() if image is not None}
        if self.landmarks is not None:
            facts["landmarks"] = len(self.landmarks[0])
        if self.labels is not None:
            facts["labels"] = [one.name for one in self.labels]
        return facts


def read_inputs(case: Case, stages: Sequence[StagePlan]) -> CaseInputs:
    """Read and check the inputs of a case.

    Raises
    ------
    ElastixImpactError
        If a file can't be used, the images differ in dimension or do not overlap, the masks leave nothing to
        compare, or stages and initial transform see the images' axes differently.
    """
    first = stages[0]
    fixed, moving = read_image(case.fixed), read_image(case.moving)
    check_pair(fixed, moving)
    stored = _initial_transform(case, first, fixed.grid)
    check_directions(stages, stored, fixed.grid, moving.grid)
    initial = None if stored is None else stored.as_stored
    fixed_mask = None if case.fixed_mask is None else read_mask(case.fixed_mask, fixed.grid)
    moving_mask = None if case.moving_mask is None else read_mask(case.moving_mask, moving.grid)
    landmarks, names = _landmarks(case, fixed.grid, moving.grid)
    labels = _labels(case, fixed.grid.dimension)
    carried = _carried(case, fixed.grid, moving.grid, None if labels is None else labels[1])
    called = label_names(case.label_names, case.fixed_labels, case.moving_labels)
    inputs = CaseInputs(fixed, moving, fixed_mask, moving_mask, landmarks, initial, names, labels, called, carried)
    if isinstance(first, RegistrationPlan) and not _aligns_by_itself(first):
        seen = inputs.seen_by(first)
        check_overlap(seen.fixed, seen.moving, initial, first.levels[0].required_ratio_of_valid_samples)
        check_masks(seen.moving, seen.fixed_mask, seen.moving_mask, initial)
    return inputs


def _aligns_by_itself(plan: RegistrationPlan) -> bool:
    transform = plan.transform
    return isinstance(transform, LinearTransformPlan) and transform.automatic_initialisation is not None


def _initial_transform(case: Case, first: StagePlan, fixed_grid: Grid) -> StoredTransform | None:
    path = case.initial_transform
    if path is None and isinstance(first, RegistrationPlan) and first.initial_transform is not None:
        path = Path(first.initial_transform)
    if path is None:
        return None
    initial = read_transform(path)
    if initial.as_stored.dimension != fixed_grid.dimension:
        raise TransformFileError(
            f"this initial transform has {initial.as_stored.dimension} dimensions, the images {fixed_grid.dimension}",
            where=str(path),
            remedy="Give the transform of these images",
        )
    return initial


def _landmarks(case: Case, fixed_grid: Grid, moving_grid: Grid) -> tuple[Landmarks | None, tuple[str, ...]]:
    """The landmarks and what they are called."""
    paths = _both(
        case.fixed_points, case.moving_points, "landmarks of both images are needed for the landmark errors",
        carried=case.carry,
    )  # fmt: skip
    if paths is None:
        return None, ()
    landmarks, names = read_landmark_pair(*paths, fixed_grid, moving_grid)
    check_same_dimension({"the fixed image": fixed_grid.dimension, str(paths[0]): landmarks[0].shape[1]})
    return landmarks, names


def _labels(case: Case, dimension: int) -> tuple[Image, Image] | None:
    paths = _both(
        case.fixed_labels, case.moving_labels, "labels of both images are needed for their overlap",
        carried=case.carry and case.fixed_labels is None,
    )  # fmt: skip
    if paths is None:
        return None
    labels = read_label_pair(*paths)
    if labels[0].grid.dimension != dimension:
        raise ImageError(
            f"labels of {labels[0].grid.dimension} dimensions for images of {dimension}",
            where=str(paths[0]),
            remedy="Give the segmentations of these images",
        )
    return labels


def _carried(case: Case, fixed_grid: Grid, moving_grid: Grid, moving_labels: Image | None) -> CarriedInputs:
    """What a case gives to be carried along; `moving_labels` are those that were read for the overlap."""
    if not case.carry:
        return CarriedInputs()
    return read_carried(
        fixed_grid, moving_grid, moving_labels=moving_labels or case.moving_labels,
        fixed_points=case.fixed_points, moving_points=case.moving_points,
    )  # fmt: skip


def _both(fixed: Path | None, moving: Path | None, needed: str, *, carried: bool) -> tuple[Path, Path] | None:
    """Both files; None if only one was given, with a warning unless that one is carried to the other image."""
    if fixed is not None and moving is not None:
        return fixed, moving
    if (fixed is not None or moving is not None) and not carried:
        warnings.warn(f"{fixed or moving} is not used: {needed}", InputWarning, stacklevel=2)
    return None


def _turned(world_points: Points, grid: Grid) -> Points:
    """The points, in mm, that lie at the same voxels of the grid without its direction."""
    return grid.without_direction().to_world(grid.to_index(world_points))
