"""Reading what a case gives: images, masks, landmarks, initial transform; each is checked as soon as it is known."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from elastix_impact.errors import TransformFileError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.io.images import read_image
from elastix_impact.io.itk_transform import read_initial_transform
from elastix_impact.io.masks import read_mask
from elastix_impact.io.points import pair_landmarks, read_points
from elastix_impact.io.warning import InputWarning
from elastix_impact.parameters.plan import LinearTransformPlan, RegistrationPlan, StagePlan
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points

from .case import Case
from .checks import check_dimensions, check_masks, check_overlap
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

    def seen_by(self, plan: StagePlan) -> "CaseInputs":
        """The inputs as a plan sees them: UseDirectionCosines "false" moves all but the initial transform."""
        if plan.use_direction_cosines:
            return self
        landmarks = self.landmarks
        if landmarks is not None:
            landmarks = _turned(landmarks[0], self.fixed.grid), _turned(landmarks[1], self.moving.grid)
        return replace(
            self,
            fixed=without_direction(self.fixed),
            moving=without_direction(self.moving),
            fixed_mask=None if self.fixed_mask is None else without_direction(self.fixed_mask),
            moving_mask=None if self.moving_mask is None else without_direction(self.moving_mask),
            landmarks=landmarks,
        )

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
        return facts


def read_inputs(case: Case, first: StagePlan) -> CaseInputs:
    """Read and check the inputs of a case whose first stage is `first`.

    Raises
    ------
    ElastixImpactError
        If a file can't be used, the images differ in dimension or do not overlap, or the masks leave nothing to
        compare.
    """
    fixed, moving = read_image(case.fixed), read_image(case.moving)
    check_dimensions(fixed, moving)
    initial = _initial_transform(case, first, fixed.grid)
    fixed_mask = None if case.fixed_mask is None else read_mask(case.fixed_mask, fixed.grid)
    moving_mask = None if case.moving_mask is None else read_mask(case.moving_mask, moving.grid)
    landmarks = _landmarks(case, fixed.grid, moving.grid)
    inputs = CaseInputs(fixed, moving, fixed_mask, moving_mask, landmarks, initial)
    if isinstance(first, RegistrationPlan) and not _aligns_by_itself(first):
        seen = inputs.seen_by(first)
        check_overlap(seen.fixed, seen.moving, initial, first.levels[0].required_ratio_of_valid_samples)
        check_masks(seen.moving, seen.fixed_mask, seen.moving_mask, initial)
    return inputs


def _aligns_by_itself(plan: RegistrationPlan) -> bool:
    transform = plan.transform
    return isinstance(transform, LinearTransformPlan) and transform.automatic_initialisation is not None


def _initial_transform(case: Case, first: StagePlan, fixed_grid: Grid) -> AbstractTransform | None:
    path = case.initial_transform
    if path is None and isinstance(first, RegistrationPlan) and first.initial_transform is not None:
        path = Path(first.initial_transform)
    if path is None:
        return None
    initial = read_initial_transform(path)
    if initial.dimension != fixed_grid.dimension:
        raise TransformFileError(
            f"this initial transform has {initial.dimension} dimensions, the images {fixed_grid.dimension}",
            where=str(path),
            remedy="Give the transform of these images",
        )
    return initial


def _landmarks(case: Case, fixed_grid: Grid, moving_grid: Grid) -> Landmarks | None:
    given = [path for path in (case.fixed_points, case.moving_points) if path is not None]
    if len(given) == 1:
        warnings.warn(
            f"{given[0]} is not used: landmarks of both images are needed for the landmark errors",
            InputWarning,
            stacklevel=2,
        )
    if case.fixed_points is None or case.moving_points is None:
        return None
    return pair_landmarks(read_points(case.fixed_points, fixed_grid), read_points(case.moving_points, moving_grid))


def _turned(world_points: Points, grid: Grid) -> Points:
    """The points, in mm, that lie at the same voxels of the grid without its direction."""
    return grid.without_direction().to_world(grid.to_index(world_points))


def without_direction(image: Image) -> Image:
    """The image as UseDirectionCosines "false" sees it."""
    return replace(image, grid=image.grid.without_direction())
