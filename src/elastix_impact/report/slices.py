"""What the planes of a report show: images, displacements and Jacobian determinants at their pixels."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.transforms.affine import AffineTransform, identity_parameters
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.resample import resample

from .planes import Plane
from .windows import Window

CHUNK = 1 << 15
"""Points mapped at once."""


@final
@dataclass(frozen=True, eq=False)
class ImageSlice:
    """A plane of the fixed image and of the moving image before and after, (rows, columns); NaN outside."""

    plane: Plane
    fixed: Tensor
    before: Tensor
    after: Tensor


@final
@dataclass(frozen=True, eq=False)
class FieldSlice:
    """A plane of the transform.

    Attributes
    ----------
    displacement
        (rows, columns, D) in mm along the plane's own axes: to the right, downwards, through.
    determinant
        Of the Jacobian, (rows, columns): below 1 shrinks, 0 or less folds.
    """

    plane: Plane
    displacement: Tensor
    determinant: Tensor


def identity(dimension: int) -> AbstractTransform:
    """The transform that moves nothing."""
    return AffineTransform(identity_parameters(dimension), centre=(0.0,) * dimension)


def image_slice(
    plane: Plane, fixed: Image, moving: Image, initial: AbstractTransform | None, transform: AbstractTransform
) -> ImageSlice:
    """The images in one plane; `initial` None = the identity."""
    still = identity(fixed.grid.dimension)
    return ImageSlice(
        plane,
        _seen(fixed, still, plane.grid),
        _seen(moving, initial or still, plane.grid),
        _seen(moving, transform, plane.grid),
    )


def _seen(image: Image, transform: AbstractTransform, grid: Grid) -> Tensor:
    return resample(image, transform, grid, 1, float("nan")).reshape(grid.shape[-2:])


def field_slice(plane: Plane, transform: AbstractTransform) -> FieldSlice:
    """The transform in one plane."""
    grid, mapper = plane.grid, transform.to(torch.float64).without_gradients()
    directions = torch.tensor(grid.direction, dtype=torch.float64)
    displacement, determinant = [], []
    with torch.no_grad():
        for world_points in grid.world_points().split(CHUNK):
            displacement.append((mapper.map_points(world_points) - world_points) @ directions)
            determinant.append(torch.linalg.det(mapper.spatial_jacobian(world_points)))
    rows, columns = grid.shape[-2:]
    return FieldSlice(
        plane, torch.cat(displacement).reshape(rows, columns, -1), torch.cat(determinant).reshape(rows, columns)
    )


def shade(values: Tensor, window: Window) -> Tensor:
    """Grey values 0 to 1; black outside the image."""
    return ((values - window.low) / (window.high - window.low)).clamp(0, 1).nan_to_num(0.0)
