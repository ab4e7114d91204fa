"""What is to be carried along with a result: moving labels, and points that only one image has."""

from dataclasses import dataclass
from typing import final

from elastix_impact.errors import ImageError, LandmarkError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.io.points import Landmarks, read_points
from elastix_impact.io.segmentations import read_segmentation

from .case import Case


@final
@dataclass(frozen=True, eq=False)
class CarriedInputs:
    """What goes from one image to the other once the registration is known, as read; None where there is nothing."""

    moving_labels: Image | None = None
    fixed_points: Landmarks | None = None
    moving_points: Landmarks | None = None


def read_carried(case: Case, fixed_grid: Grid, moving_grid: Grid, moving_labels: Image | None) -> CarriedInputs:
    """What a case gives to be carried along; nothing unless `case.carry`.

    Parameters
    ----------
    moving_labels
        Those that were read for the overlap, None if there are no fixed ones.

    Raises
    ------
    ImageError, LandmarkError
        If a file can't be used, or is of another dimension than the images.
    """
    if not case.carry:
        return CarriedInputs()
    if moving_labels is None and case.moving_labels is not None:
        moving_labels = read_segmentation(case.moving_labels)
        _check_dimension(moving_labels, fixed_grid.dimension)
    fixed_points = moving_points = None
    if case.moving_points is None and case.fixed_points is not None:
        fixed_points = _points_of(read_points(case.fixed_points, fixed_grid), fixed_grid)
    if case.fixed_points is None and case.moving_points is not None:
        moving_points = _points_of(read_points(case.moving_points, moving_grid), moving_grid)
    return CarriedInputs(moving_labels, fixed_points, moving_points)


def _check_dimension(labels: Image, dimension: int) -> None:
    if labels.grid.dimension != dimension:
        raise ImageError(
            f"labels of {labels.grid.dimension} dimensions for images of {dimension}",
            where=labels.name,
            remedy="Give the segmentation of the moving image",
        )


def _points_of(landmarks: Landmarks, grid: Grid) -> Landmarks:
    if landmarks.world_points.shape[1] != grid.dimension:
        raise LandmarkError(
            f"points of {landmarks.world_points.shape[1]} coordinates for images of {grid.dimension} dimensions",
            where=landmarks.source,
            remedy="Give the points of this image",
        )
    return landmarks
