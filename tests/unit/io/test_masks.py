"""Masks come out as booleans on their image's grid, or say why not."""

import numpy as np
import pytest
import torch

from elastix_impact.errors import ImageError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.masks import erode, erosion_scale, grow, shrink
from elastix_impact.io.images import write_image
from elastix_impact.io.masks import read_mask
from elastix_impact.io.warning import InputWarning

GRID = Grid.axis_aligned((8, 6, 5), (2.0, 2.0, 2.0), (100.0, 0.0, 0.0))


def _mask_file(path, values, grid=GRID, pixel_type="unsigned char"):
    write_image(path, values.float(), grid, pixel_type)
    return path


def test_nonzero_voxels_are_inside_whatever_the_type(tmp_path):
    values = torch.zeros(GRID.shape)
    values[1, 2, 3], values[2, 2, 2], values[0, 0, 0] = 255, 0.2, -1
    mask = read_mask(_mask_file(tmp_path / "m.mha", values, pixel_type="float"), GRID)
    assert mask.data.dtype == torch.bool
    assert mask.data.sum() == 3


def test_a_mask_of_ones_is_a_mask(tmp_path):
    assert read_mask(_mask_file(tmp_path / "m.mha", torch.ones(GRID.shape)), GRID).data.all()


def test_another_grid_is_resampled_to_the_nearest_with_a_warning(tmp_path):
    coarse = Grid.axis_aligned((4, 3, 3), (4.0, 4.0, 4.0), (101.0, 1.0, 1.0))
    values = torch.zeros(coarse.shape)
    values[0, 0, 0] = 1
    with pytest.warns(InputWarning, match="4x3x3 voxels.*8x6x5"):
        mask = read_mask(_mask_file(tmp_path / "m.mha", values, coarse), GRID)
    assert mask.grid == GRID
    assert mask.data[:2, :2, :2].all()
    assert mask.data.sum() == 8


@pytest.mark.filterwarnings("ignore::elastix_impact.io.warning.InputWarning")
@pytest.mark.parametrize(
    ("values", "grid", "says"),
    [
        (torch.zeros(GRID.shape), GRID, "mask is empty"),
        (torch.ones(GRID.shape), GRID.shifted((500.0, 0.0, 0.0)), r"240 voxels, around \(607, 5, 4\) mm, lie outside"),
        (torch.ones(6, 8), Grid.axis_aligned((8, 6), (2.0, 2.0)), "has 2 dimensions, its image 3"),
    ],
    ids=["empty", "elsewhere", "2d"],
)
def test_masks_that_cannot_be_used_say_why(tmp_path, values, grid, says):
    path = _mask_file(tmp_path / "m.mha", values, grid)
    with pytest.raises(ImageError, match=says) as caught:
        read_mask(path, GRID)
    assert str(path) in str(caught.value)


def test_erosion_removes_an_ellipsoid_as_a_distance_transform_would():
    from scipy import ndimage

    grid = Grid.axis_aligned((30, 25, 20), (1.0, 1.0, 1.0))
    inside = torch.zeros(grid.shape, dtype=torch.bool)
    inside[4:, 3:22, 2:28] = True
    inside[10, 10, 10] = False
    scale = erosion_scale((2.0, 1.0, 1.0), "fixed")
    got = erode(Image(inside, grid), scale).data.numpy()
    distance = ndimage.distance_transform_edt(inside.numpy(), sampling=[(2 * s) ** -0.5 for s in reversed(scale)])
    np.testing.assert_array_equal(got, distance >= 1)
    assert got[-1].any(), "the border of the image does not erode"
    assert erosion_scale((2.0,), "moving") > erosion_scale((2.0,), "fixed")


@pytest.mark.parametrize("margin", [0.0, 3.0, 5.0])
def test_growing_and_shrinking_by_mm_against_distances(margin):
    grid = Grid.axis_aligned((24, 20, 16), (1.0, 1.5, 2.5))
    mask = torch.rand(grid.shape, generator=torch.Generator().manual_seed(0)) > 0.998
    to_mask = torch.cdist(grid.world_points(), grid.world_points()[mask.flatten()]).amin(1).reshape(grid.shape)
    assert torch.equal(grow(Image(mask, grid), margin).data, mask | (to_mask < margin))
    assert torch.equal(shrink(Image(~mask, grid), margin).data, ~(mask | (to_mask < margin)))
