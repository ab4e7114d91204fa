"""What transforms do to images, labels, points and meshes in memory; `apply_files`, `apply_transformix` do files."""

from pathlib import Path
from typing import Literal

import torch

from elastix_impact.errors import ImageError, LandmarkError, TransformFileError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.io.transform_file import TransformRecord
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.dense import inverse_on
from elastix_impact.transforms.inverse import invert_points
from elastix_impact.transforms.resample import resample, resample_labels
from elastix_impact.typing import Points

Direction = Literal["fixed-to-moving", "moving-to-fixed"]
SPLINE_ORDERS = range(4)
DEFAULT_ORDER = 3


def apply_transform(
    transform: AbstractTransform,
    image: Image,
    reference: Grid,
    *,
    order: int = DEFAULT_ORDER,
    default_value: float = 0.0,
    labels: bool = False,
    inverse: bool = False,
) -> Image:
    """An image seen through a transform: the moving image on the fixed image's grid, or with `inverse` the other way.

    Parameters
    ----------
    transform
        Map from fixed to moving world points in mm, as `register` gives and `read_initial_transform` reads.
    image
        The moving image; with `inverse` the fixed one.
    reference
        Grid of the result: the fixed image's; with `inverse` the moving one's.
    order
        0 nearest, 1 linear, 2 or 3 B-spline. Not used for labels.
    default_value
        Where the result lies outside of `image`.
    labels
        Whether the voxels are labels: each result is one of them exactly, in the same dtype.
    inverse
        Whether to use the inverse transform.

    Raises
    ------
    ImageError
        If image, grid and transform are not of one dimension, or there is no such order.
    InputError
        If the inverse is asked for and there is none.
    """
    check_dimension(image, transform)
    if reference.dimension != transform.dimension:
        raise ImageError(
            f"the reference has {reference.dimension} dimensions, the transform {transform.dimension}",
            remedy="Give the grid of an image that was registered",
        )
    if order not in SPLINE_ORDERS:
        raise ImageError(f"there is no interpolation of order {order}", expected="0 to 3")
    if inverse:
        transform = inverse_on(transform, reference, image.grid)[0]
    if labels:
        values = resample_labels(image, transform, reference, default_value)
    else:
        values = resample(image, transform, reference, order, default_value)
    return Image(values, reference, image.name, image.pixel_type)


def checked_order(record: TransformRecord, path: Path) -> int:
    """The order of interpolation that a transform file asks for; raises TransformFileError if there is no such here."""
    order = record.resample.interpolation_order
    if order not in SPLINE_ORDERS:
        raise TransformFileError(
            f"FinalBSplineInterpolationOrder: {order} is not supported",
            where=str(path),
            expected="0 to 3",
            remedy="Write (FinalBSplineInterpolationOrder 3), or give --order to elastix-impact transform",
        )
    return order


def check_dimension(image: Image, transform: AbstractTransform) -> None:
    """Raise ImageError unless image and transform are of one dimension."""
    if image.grid.dimension != transform.dimension:
        raise ImageError(
            f"has {image.grid.dimension} dimensions, the transform {transform.dimension}",
            where=image.name,
            remedy="Give an image like those that were registered",
        )


def carry_points(
    transform: AbstractTransform, world_points: Points, direction: Direction, source: str
) -> tuple[Points, float]:
    """Points (N, D) in mm carried from one image to the other, and the largest residual in mm where that was inverted.

    Raises
    ------
    LandmarkError
        If they have another number of coordinates than the transform.
    InputError
        If the inverse is asked for and there is none.
    """
    if world_points.shape[1] != transform.dimension:
        raise LandmarkError(
            f"the points have {world_points.shape[1]} coordinates, the transform maps {transform.dimension}",
            where=source,
            remedy="Give points of the images that were registered",
        )
    if direction == "fixed-to-moving":
        return transform.to(torch.float64).map_points(world_points.double()), 0.0
    inversion = invert_points(transform, world_points)
    return inversion.world_points, float(inversion.residual.max()) if len(world_points) else 0.0


def carry_mesh_points(
    transform: AbstractTransform, world_points: Points, direction: Direction, source: str
) -> tuple[Points, float]:
    """The points (N, 3) of a mesh through `carry_points`; what a transform of two dimensions knows not of stays."""
    flat, rest = world_points[:, : transform.dimension], world_points[:, transform.dimension :]
    carried, residual = carry_points(transform, flat, direction, source)
    return torch.cat([carried, rest], dim=1), residual
