"""Planes of a report: the patient's sides where a radiologist looks for them, whatever the order of the axes."""

from itertools import permutations, product

import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.report.planes import LONGEST, planes_through

SIDES = {
    "axial": ("R", "L", "A", "P", (1, 0, 0), (0, 1, 0)),
    "coronal": ("R", "L", "S", "I", (1, 0, 0), (0, 0, -1)),
    "sagittal": ("A", "P", "S", "I", (0, 1, 0), (0, 0, -1)),
}
"""Letters left, right, top, bottom, and the LPS directions to the right and downwards."""


def _grids() -> list[Grid]:
    grids = []
    for axes in permutations(range(3)):
        for signs in product((1.0, -1.0), repeat=3):
            direction = torch.zeros(3, 3)
            direction[list(axes), range(3)] = torch.tensor(signs)
            grids.append(Grid((40, 30, 20), (1.0, 2.0, 3.0), (7.0, -8.0, 9.0), tuple(map(tuple, direction.tolist()))))
    return grids


@pytest.mark.parametrize("grid", _grids())
def test_planes_are_anatomical_for_every_order_of_axes(grid: Grid) -> None:
    point = tuple(c + 3.0 for c in grid.centre)
    for plane in planes_through(grid, point):
        left, right, top, bottom, across, down = SIDES[plane.name]
        assert (plane.left, plane.right, plane.top, plane.bottom) == (left, right, top, bottom)
        columns = torch.tensor(plane.grid.direction).T
        torch.testing.assert_close(columns[0].float(), torch.tensor(across).float())
        torch.testing.assert_close(columns[1].float(), torch.tensor(down).float())
        pixel = plane.to_pixel(point)
        world = plane.grid.to_world(torch.tensor([[*pixel, 0.0]], dtype=torch.float64))[0]
        torch.testing.assert_close(world, torch.tensor(point, dtype=torch.float64))


def test_a_plane_covers_the_image_with_square_pixels() -> None:
    grid = Grid.axis_aligned((512, 400, 60), (0.7, 0.7, 5.0))
    coronal = planes_through(grid, grid.centre)[1]
    assert coronal.grid.spacing[0] == coronal.grid.spacing[1]
    assert max(coronal.size) == LONGEST
    width, height = (n * coronal.grid.spacing[0] for n in coronal.size)
    assert width == pytest.approx(512 * 0.7, abs=2)
    assert height == pytest.approx(300, abs=2)
    torch.testing.assert_close(coronal.grid.centre, grid.centre, rtol=0, atol=1e-6)


def test_a_close_up_is_centred_on_its_point() -> None:
    grid = Grid.axis_aligned((200, 200, 200), (1.0, 1.0, 1.0))
    for plane in planes_through(grid, (30.0, 40.0, 50.0), extent=60.0):
        torch.testing.assert_close(plane.grid.centre, (30.0, 40.0, 50.0), rtol=0, atol=1e-6)
        assert max(n * plane.grid.spacing[0] for n in plane.size) == pytest.approx(60)


def test_a_2d_image_is_one_plane_without_sides() -> None:
    (plane,) = planes_through(Grid.axis_aligned((30, 20), (2.0, 1.0)), (10.0, 10.0))
    assert plane.name == "image"
    assert plane.left == ""
    assert plane.grid.dimension == 2
