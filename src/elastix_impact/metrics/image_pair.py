"""What the metrics on intensities share: two images read at the same samples."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.geometry.bspline import mirrored
from elastix_impact.geometry.domain import Domain
from elastix_impact.geometry.field import ScalarField
from elastix_impact.geometry.grid import Frame, Grid
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.masks import mask_on
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points, Scalar, Weights1


@final
@dataclass(frozen=True, eq=False)
class Samples:
    """Intensities of both images at N samples.

    Attributes
    ----------
    fixed, moving
        Intensities (N,); `moving` is differentiable with respect to the transform's parameters.
    weights
        1 where the mapped point lies in the moving image and mask, else 0.
    count
        Sum of the weights, but at least 1.
    valid_fraction
        Mean of the weights.
    """

    fixed: Weights1
    moving: Weights1
    weights: Weights1
    count: Scalar
    valid_fraction: Scalar


@final
class ImagePair:
    """A fixed and a moving image of one level, ready to be compared at samples.

    Parameters
    ----------
    fixed, moving
        The level's images, in the loop's frame and on its device.
    moving_mask
        Where the moving image counts, or None.
    fixed_order, moving_order
        Interpolation orders. 0 (fixed only) takes the nearest voxel, 1 is linear, 2 and 3 are B-splines.

    Raises
    ------
    InputError
        If an order is none of these.
    """

    def __init__(
        self, fixed: Image, moving: Image, moving_mask: Image | None, *, fixed_order: int, moving_order: int
    ) -> None:
        check_orders(fixed_order, moving_order)
        self._fixed = image_field(fixed, fixed_order)
        self._moving = image_field(moving, moving_order)
        self._domain = Domain.of(moving.grid, moving_mask, moving.data.device)

    def sample(self, transform: AbstractTransform, world_points: Points) -> Samples:
        """Both images at fixed `world_points` (N, D) in mm and at their places in the moving image."""
        moving_points = transform.map_points(world_points)
        weights = self._domain.weights(moving_points)
        total = weights.sum()
        fixed, moving = self._fixed.values(world_points), self._moving.values(moving_points)
        return Samples(fixed[:, 0], moving[:, 0], weights, total.clamp_min(1.0), total / len(world_points))


def intensity_range(image: Image, mask: Image | None) -> tuple[float, float]:
    """Smallest and largest intensity of the voxels inside `mask`, or of all.

    Raises
    ------
    InputError
        If no voxel of the image is inside the mask.
    """
    values = image.data if mask is None else image.data[mask_on(image.grid, mask)]
    if values.numel() == 0:
        raise InputError(
            "no voxel of the image lies inside its mask, so that there is no range of intensities",
            where=image.name,
            expected="a mask that covers a part of the image, also after erosion",
            remedy="Check that mask and image lie at the same place",
        )
    return float(values.min()), float(values.max())


def check_orders(fixed_order: int, moving_order: int) -> None:
    """Refuse interpolation orders that a metric can't use.

    Raises
    ------
    InputError
        If one does not exist, or has no derivative.
    """
    if moving_order not in (1, 2, 3):
        raise InputError(
            f"the moving image can't be interpolated with order {moving_order}: a metric needs its derivative",
            where="Interpolator",
            expected="order 1, 2 or 3",
            remedy='Use (Interpolator "LinearInterpolator")',
        )
    if fixed_order not in (0, 1, 2, 3):
        raise InputError(
            f"the fixed image can't be interpolated with order {fixed_order}",
            where="FixedImageBSplineInterpolationOrder",
            expected="order 0, 1, 2 or 3",
        )


def image_field(image: Image, order: int) -> ScalarField:
    """The image for interpolation, mirrored at the outermost voxels' centres, as splines of any order are there.

    A field of order 1 holds its values beyond these centres, hence the rim of one voxel; mirroring is what
    elastix's interpolators do.
    """
    if order != 1:
        return ScalarField.from_volume(image.data, image.grid, order)
    data, grid = image.data, image.grid
    for axis, size in enumerate(grid.size):
        nodes = mirrored(torch.arange(-1, size + 1), size).to(data.device)
        data = data.index_select(grid.dimension - 1 - axis, nodes)
    return ScalarField.from_volume(data, _one_voxel_larger(grid), order)


def _one_voxel_larger(grid: Grid) -> Grid:
    """The grid with one more voxel at each end of every axis."""
    corner = torch.tensor([*(-1.0 for _ in grid.size), 1.0], dtype=torch.float64)
    origin: Tensor = (grid.matrix(Frame.INDEX, Frame.WORLD) @ corner)[:-1]
    return Grid(tuple(size + 2 for size in grid.size), grid.spacing, tuple(origin.tolist()), grid.direction)
