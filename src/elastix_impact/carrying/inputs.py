"""What is to be carried along with a result: moving labels, and points that only one image has."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

from elastix_impact.errors import ImageError, LandmarkError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.io.points import Landmarks, read_points
from elastix_impact.io.segmentations import read_segmentation


@final
@dataclass(frozen=True, eq=False)
class CarriedInputs:
    """What goes from one image to the other once the registration is known, as read; None where there is nothing."""

    moving_labels: Image | None = None
    fixed_points: Landmarks | None = None
    moving_points: Landmarks | None = None


def read_carried(
    fixed_grid: Grid,
    moving_grid: Grid,
    *,
    moving_labels: Image | Path | None,
    fixed_points: Path | None,
    moving_points: Path | None,
) -> CarriedInputs:
    """What is to be carried along.

    Parameters
    ----------
    moving_labels
        Their file, or the labels if they were read before.
    fixed_points, moving_points
        Files; with both given there is nothing to carry.

    Raises
    ------
    ImageError, LandmarkError
        If a file can't be used, or is of another dimension than the images.
    """
    if isinstance(moving_labels, Path):
        moving_labels = read_segmentation(moving_labels)
        _check_dimension(moving_labels, fixed_grid.dimension)
    if fixed_points is not None and moving_points is not None:
        return CarriedInputs(moving_labels)
    return CarriedInputs(
        moving_labels,
        None if fixed_points is None else _points_of(read_points(fixed_points, fixed_grid), fixed_grid),
        None if moving_points is None else _points_of(read_points(moving_points, moving_grid), moving_grid),
    )


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
