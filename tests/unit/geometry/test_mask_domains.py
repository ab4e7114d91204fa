"""Masks: the voxel nearest to a point decides, wherever the mask's grid lies; growing, shrinking, eroding."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from elastix_impact.geometry.domain import Domain
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.masks import erode, erosion_scale, grow, index_box, mask_on, shrink

TURNED = ((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, -1.0))
IMAGES = {
    "3d": Grid((7, 6, 5), (1.5, 2.0, 3.0), (10.0, -5.0, 4.0), TURNED),
    "2d": Grid((7, 6), (1.5, 2.0), (10.0, -5.0), ((0.0, -1.0), (1.0, 0.0))),
}
PLANES = {2: ((0.6, 0.8), (-0.8, 0.6)), 3: ((0.6, 0.8, 0.0), (0.0, 0.0, 1.0), (0.8, -0.6, 0.0))}


def mask_beside(grid: Grid) -> Image:
    """A random mask on another grid, which covers a part of this one and something beside it."""
    dimension = grid.dimension
    other = Grid((8, 9, 10)[:dimension], (1.1, 1.7, 2.3)[:dimension], (0.0,) * dimension, PLANES[dimension])
    other = other.shifted(tuple(c - d + 1.3 for c, d in zip(grid.centre, other.centre)))
    return Image(torch.rand(other.shape, generator=torch.Generator().manual_seed(1)) > 0.4, other)


def nearest(mask: Image, world_points: torch.Tensor) -> np.ndarray:
    """The mask at its voxel nearest to each point, by scipy; false outside."""
    zyx = mask.grid.to_index(world_points.double()).flip(1).T.numpy()
    return ndimage.map_coordinates(mask.data.numpy().astype(float), zyx, order=0, mode="grid-constant") > 0.5


def points_around(grid: Grid) -> torch.Tensor:
    """Random points in the grid's box and up to a voxel beyond."""
    unit = torch.rand(3000, grid.dimension, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return grid.to_world(unit * (torch.tensor(grid.size) + 1) - 1)


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_point_counts_inside_the_image_where_the_nearest_voxel_of_the_mask_is_set(
    kind: str, dtype: torch.dtype
) -> None:
    grid = IMAGES[kind]
    mask, world_points = mask_beside(grid), points_around(grid).to(dtype)
    index = grid.to_index(world_points.double())
    in_image = ((index >= -0.5) & (index < torch.tensor(grid.size) - 0.5)).all(1).numpy()
    weights = Domain.of(grid, mask, "cpu").weights(world_points)
    expected = nearest(mask, world_points)
    assert weights.dtype == dtype
    assert 0.1 < expected.mean() < 0.6
    np.testing.assert_array_equal(weights.numpy() > 0, in_image & expected)
    np.testing.assert_array_equal(Domain.of(grid, None, "cpu").weights(world_points).numpy() > 0, in_image)


@pytest.mark.parametrize("kind", IMAGES)
def test_a_mask_on_another_grid_has_its_nearest_values(kind: str) -> None:
    grid = IMAGES[kind]
    mask = mask_beside(grid)
    expected = nearest(mask, grid.world_points()).reshape(grid.shape)
    assert 0.1 < expected.mean() < 0.6
    np.testing.assert_array_equal(mask_on(grid, mask).numpy(), expected)
    assert torch.equal(mask_on(mask.grid, mask), mask.data)


def test_the_box_of_a_mask() -> None:
    mask = torch.zeros(5, 6, 7, dtype=torch.bool)
    assert index_box(mask) is None
    mask[1, 2, 3] = mask[3, 2, 5] = True
    assert index_box(mask) == ((1, 2, 3), (3, 2, 5))


def test_erosion_reaches_twice_as_far_in_the_moving_mask() -> None:
    """As elastix: half the square of the factor + 1, or of twice the factor + 1, and one more."""
    assert erosion_scale((1.0, 2.0, 4.0), "fixed") == (3.0, 5.5, 13.5)
    assert erosion_scale((1.0, 2.0, 4.0), "moving") == (5.5, 13.5, 41.5)


@pytest.mark.parametrize("scale", [(0.4, 3.0), (5.5, 1.0), (3.0, 13.5)])
def test_erosion_takes_an_ellipsoid_from_every_outside_voxel(scale: tuple[float, float]) -> None:
    grid = Grid.axis_aligned((15, 17), (1.0, 1.0))
    mask = torch.rand(grid.shape, generator=torch.Generator().manual_seed(3)) > 0.02
    places, outside = grid.index_points(), grid.index_points()[~mask.flatten()]
    distance = ((places[:, None] - outside) ** 2 / (2 * torch.tensor(scale))).sum(2)
    expected = (distance >= 1 - 1e-6).all(1).reshape(grid.shape)
    assert 0.05 < expected.float().mean() < mask.float().mean()
    assert torch.equal(erode(Image(mask, grid), scale).data, expected)


@pytest.mark.parametrize("margin", [0.0, 2.6, 5.3])
def test_growing_and_shrinking_by_millimetres(margin: float) -> None:
    grid = IMAGES["3d"]
    mask = torch.zeros(grid.shape, dtype=torch.bool)
    mask[2, 3, 3] = True
    places = grid.world_points()
    distance = (places - places[mask.flatten()]).norm(dim=1).reshape(grid.shape)
    near = distance <= 0 if margin == 0 else distance < margin
    assert math.isclose(margin, 0) or near.sum() > 1
    assert torch.equal(grow(Image(mask, grid), margin).data, near)
    assert torch.equal(shrink(Image(~mask, grid), margin).data, ~near)
