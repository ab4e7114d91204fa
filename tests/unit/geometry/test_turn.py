"""Images on grids with other axes."""

import math

import pytest
import torch

from elastix_impact.geometry.field import ScalarField
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.turn import SMALL_TURN, angle_between, nearest_rotation, with_axes_like


def _axes(degrees, dimension=3):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return ((c, -s), (s, c)) if dimension == 2 else ((c, -s, 0.0), (s, c, 0.0), (0.0, 0.0, 1.0))


def _image(degrees, dimension=3):
    size, spacing = (30, 26, 22)[:dimension], (1.5, 2.0, 2.5)[:dimension]
    grid = Grid(size, spacing, (5.0, -30.0, 12.0)[:dimension], _axes(degrees, dimension))
    return Image(_formula(grid.world_points().float()).reshape(grid.shape), grid, "moving")


def _formula(points):
    return 100 * torch.sin(points / 9).prod(1) + points[:, 0]


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("degrees", [8.0, -25.0])
def test_the_content_stays_where_it_was(dimension, degrees):
    image = _image(3.0, dimension)
    turned = with_axes_like(image, _axes(degrees, dimension), 3)
    assert angle_between(turned.grid.direction, _axes(degrees, dimension)) < 1e-6
    points = turned.grid.world_points()
    inside = (
        (image.grid.to_index(points) > 1) & (image.grid.to_index(points) < torch.tensor(image.grid.size) - 2)
    ).all(1)
    assert inside.float().mean() > 0.3
    difference = turned.data.flatten()[inside] - _formula(points[inside].float())
    assert difference.abs().max() < 1.5  # of 100; splines are mirrored at the border


def test_every_corner_of_the_image_is_on_the_new_grid():
    image = _image(0.0)
    turned = with_axes_like(image, _axes(30.0), 1)
    index = turned.grid.to_index(image.grid.world_points())
    assert index.min() > -0.51
    assert (index - torch.tensor(turned.grid.size) + 1).max() < 0.51


def test_small_turns_and_other_storage_need_no_interpolation():
    image = _image(0.0)
    assert with_axes_like(image, _axes(math.degrees(SMALL_TURN) * 0.9), 3) is image
    swapped = ((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    stored = with_axes_like(image, swapped, 3)
    assert torch.equal(stored.data.sort().values.flatten().sort().values, image.data.flatten().sort().values)
    mirrored = ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    assert with_axes_like(image, mirrored, 3).data.shape == image.data.shape


def test_a_field_read_on_the_turned_image_gives_the_same_values():
    image = _image(0.0)
    turned = with_axes_like(image, _axes(12.0), 3)
    points = image.grid.to_world(torch.rand(50, 3, dtype=torch.float64) * 12 + 6).float()
    values = [ScalarField.from_volume(one.data, one.grid, 3).values(points) for one in (image, turned)]
    torch.testing.assert_close(*values, atol=0.5, rtol=0)


@pytest.mark.parametrize("dimension", [2, 3])
def test_the_nearest_rotation_undoes_scales(dimension):
    turn = torch.tensor(_axes(20.0, dimension), dtype=torch.float64)
    scales = torch.diag(torch.tensor([1.3, 0.7, 1.1][:dimension], dtype=torch.float64))
    torch.testing.assert_close(nearest_rotation(turn @ scales), turn)
    mirrored = torch.diag(torch.tensor([-1.0, *([1.0] * (dimension - 1))], dtype=torch.float64))
    assert torch.linalg.det(nearest_rotation(turn @ mirrored)) == pytest.approx(1.0)


@pytest.mark.parametrize("degrees", [0.0, 20.0, 89.0, 91.0, 150.0, 179.0])
@pytest.mark.parametrize("dimension", [2, 3])
def test_the_angle_between_axes(dimension, degrees):
    assert angle_between(_axes(0, dimension), _axes(degrees, dimension)) == pytest.approx(
        math.radians(degrees), abs=1e-7
    )
    assert angle_between(_axes(10, dimension), _axes(10 - degrees, dimension)) == pytest.approx(
        math.radians(degrees), abs=1e-7
    )


def test_an_image_without_its_direction_lies_along_the_worlds_axes():
    image = _image(30)
    bare = image.without_direction()
    assert bare.grid == image.grid.without_direction()
    assert bare.grid.direction == _axes(0)
    assert bare.data is image.data
