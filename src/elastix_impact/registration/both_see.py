"""SampleWhereBothSee: samples are drawn where both images see, as the transform lies when a level begins."""

import math
import warnings
from dataclasses import dataclass, replace
from typing import TypeVar, final

import torch
from torch import Tensor

from elastix_impact.geometry.domain import Domain
from elastix_impact.geometry.grid import Grid, Row
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.masks import mask_on, shrink
from elastix_impact.geometry.seen import seen_mask
from elastix_impact.io.warning import InputWarning
from elastix_impact.transforms.base import AbstractTransform

from .build import LevelImages

Key = TypeVar("Key")

MOST_MARGIN = 8.0
"""How far inside a field of view samples begin, in mm, ..."""

MARGIN_SHARE = 0.08
"""... or this share of the image's shortest side, if that is less."""

MOST_POINTS = 1 << 17
"""Points that are mapped to find the region, about; between them it is as at the nearest."""

LEAST_SHARE = 0.01
"""Share of the fixed image below which samples are drawn everywhere, with a warning."""


@final
@dataclass(frozen=True, eq=False)
class FieldsOfView:
    """Where fixed and moving image were seen, without the margin; None = everywhere in their boxes."""

    fixed: Image | None
    moving: Image | None

    @staticmethod
    def of(fixed: Image, moving: Image) -> "FieldsOfView":
        """Those of two images."""
        seen = seen_mask(fixed), seen_mask(moving)
        return FieldsOfView(*(None if one is None else shrink(one, margin(one.grid)) for one in seen))

    def shifted(self, offset: Row) -> "FieldsOfView":
        """Those in a world moved by `offset` mm."""
        return FieldsOfView(*(None if one is None else one.shifted(offset) for one in (self.fixed, self.moving)))


def where_both_see(
    images: dict[Key, LevelImages], views: FieldsOfView, transform: AbstractTransform
) -> dict[Key, LevelImages]:
    """The images with sampling masks that leave out what one of them does not see; all in the loop's frame."""
    return {key: replace(one, sampling_mask=_sampling_mask(one, views, transform)) for key, one in images.items()}


def _sampling_mask(images: LevelImages, views: FieldsOfView, transform: AbstractTransform) -> Tensor | None:
    grid = images.fixed.grid
    seen = _seen_by_moving(images, views, transform)
    if views.fixed is not None:
        seen &= mask_on(grid, views.fixed).to(seen.device)
    if images.sampling_mask is not None:
        seen &= images.sampling_mask.to(seen.device)
    before = float(grid.number_of_voxels if images.sampling_mask is None else images.sampling_mask.sum())
    if float(seen.sum()) < LEAST_SHARE * before:
        warnings.warn(
            "fixed and moving image hardly see a common place as they lie: samples are drawn everywhere. Check their "
            "origins and directions, or give an initial transform",
            InputWarning,
            stacklevel=2,
        )
        return images.sampling_mask
    return seen


def _seen_by_moving(images: LevelImages, views: FieldsOfView, transform: AbstractTransform) -> Tensor:
    """Which voxels of the fixed image map into what the moving image sees, bool."""
    grid, device = images.fixed.grid, images.fixed.data.device
    steps = _steps(grid)
    coarse = _every(grid, steps)
    with torch.no_grad():
        mapped = transform.map_points(coarse.world_points(torch.float32, device))
    inside = Domain.of(_smaller(images.moving.grid), images.moving_mask, device).weights(mapped)
    if views.moving is not None:
        inside = inside * Domain.of(views.moving.grid, views.moving, device).weights(mapped)
    blocks = inside.bool().reshape(coarse.shape)
    for axis, (step, size) in enumerate(zip(reversed(steps), grid.shape)):
        blocks = blocks.repeat_interleave(step, axis).narrow(axis, 0, size)
    return blocks


def _steps(grid: Grid) -> tuple[int, ...]:
    """Voxels per axis between mapped points: about equal in mm."""
    length = (math.prod(grid.extent) / MOST_POINTS) ** (1 / grid.dimension)
    return tuple(max(1, round(length / spacing)) for spacing in grid.spacing)


def _every(grid: Grid, steps: tuple[int, ...]) -> Grid:
    """The grid of blocks of so many voxels."""
    first = torch.tensor([[(step - 1) / 2 for step in steps]], dtype=torch.float64)
    return Grid(
        tuple(-(-n // step) for n, step in zip(grid.size, steps)),
        tuple(s * step for s, step in zip(grid.spacing, steps)),
        tuple(grid.to_world(first)[0].tolist()),
        grid.direction,
    )


def margin(grid: Grid) -> float:
    """How far inside an image on this grid samples begin, mm."""
    return min(MOST_MARGIN, MARGIN_SHARE * min(grid.extent))


def _smaller(grid: Grid) -> Grid:
    """A grid that ends about the margin inside of this one and has at least one voxel."""
    cut = [min(round(margin(grid) / s), (n - 1) // 2) for n, s in zip(grid.size, grid.spacing)]
    origin = grid.to_world(torch.tensor([cut], dtype=torch.float64))[0].tolist()
    return Grid(tuple(n - 2 * c for n, c in zip(grid.size, cut)), grid.spacing, tuple(origin), grid.direction)
