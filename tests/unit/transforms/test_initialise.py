"""First alignments of two images, with masks and what can go wrong."""

import math

import pytest
import torch

from elastix_impact.errors import ImageError, InputError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.transforms.initialise import initial_alignment
from elastix_impact.transforms.lattice import refine_parameters, required_lattice

FIXED = Grid.axis_aligned((6, 5, 4), (1.0, 2.0, 3.0), (10.0, 20.0, 30.0))
MOVING = Grid.axis_aligned((8, 5, 7), (1.0, 1.0, 1.0), (-5.0, 0.0, 5.0))


def constant(grid: Grid, value: float = 1.0) -> Image:
    return Image(torch.full(grid.shape, value), grid)


def box_mask(grid: Grid, low: tuple[int, ...], high: tuple[int, ...]) -> Image:
    index_points = grid.index_points()
    inside = ((index_points >= torch.tensor(low)) & (index_points <= torch.tensor(high))).all(1)
    return Image(inside.reshape(grid.shape), grid)


@pytest.mark.parametrize("method", ["GeometricalCenter", "CenterOfGravity"])
def test_middles_of_even_images(method: str) -> None:
    alignment = initial_alignment(method, constant(FIXED), constant(MOVING))
    assert alignment.centre == pytest.approx(FIXED.centre)
    assert alignment.translation == pytest.approx([m - f for m, f in zip(MOVING.centre, FIXED.centre)])


@pytest.mark.parametrize("method", ["GeometricalCenter", "CenterOfGravity"])
def test_masks_restrict_both(method: str) -> None:
    alignment = initial_alignment(
        method,
        constant(FIXED),
        constant(MOVING),
        fixed_mask=box_mask(FIXED, (1, 0, 2), (2, 3, 3)),
        moving_mask=box_mask(MOVING, (0, 0, 0), (1, 1, 1)),
    )
    assert alignment.centre == pytest.approx((11.5, 23.0, 37.5))
    assert alignment.translation == pytest.approx((-4.5 - 11.5, 0.5 - 23.0, 5.5 - 37.5))


def test_a_mask_on_another_grid_means_the_same_place() -> None:
    other = Grid.axis_aligned((12, 10, 8), (1.0, 2.0, 3.0), (7.0, 14.0, 24.0))
    here = initial_alignment(
        "CenterOfGravity", constant(FIXED), constant(MOVING), fixed_mask=box_mask(FIXED, (1, 0, 2), (2, 3, 3))
    )
    there = initial_alignment(
        "CenterOfGravity", constant(FIXED), constant(MOVING), fixed_mask=box_mask(other, (4, 3, 4), (5, 6, 5))
    )
    assert there.centre == pytest.approx(here.centre)


def test_bright_voxels_attract_the_centre_of_gravity() -> None:
    data = torch.zeros(FIXED.shape)
    data[3, 2, 1], data[3, 2, 5] = 3.0, 1.0
    alignment = initial_alignment("CenterOfGravity", Image(data, FIXED), constant(MOVING))
    assert alignment.centre == pytest.approx((12.0, 24.0, 39.0))


def test_2d_masks() -> None:
    grid = Grid.axis_aligned((6, 5), (1.0, 2.0))
    alignment = initial_alignment(
        "GeometricalCenter", constant(grid), constant(grid), fixed_mask=box_mask(grid, (2, 1), (4, 1))
    )
    assert alignment.centre == pytest.approx((3.0, 2.0))


def test_an_image_without_mass_is_an_error() -> None:
    with pytest.raises(ImageError, match=r"sum to zero.*GeometricalCenter"):
        initial_alignment("CenterOfGravity", constant(FIXED, 0.0), constant(MOVING))


def test_an_empty_mask_is_an_error() -> None:
    empty = Image(torch.zeros(FIXED.shape, dtype=torch.bool), FIXED, "mask.mha")
    with pytest.raises(ImageError, match=r"mask.mha: the mask has no voxels"):
        initial_alignment("GeometricalCenter", constant(FIXED), constant(MOVING), fixed_mask=empty)


def test_tops_need_three_dimensions() -> None:
    grid = Grid.axis_aligned((6, 5), (1.0, 2.0))
    with pytest.raises(InputError, match="3-D"):
        initial_alignment("GeometryTop", constant(grid), constant(grid))


@pytest.mark.parametrize("spacing", [(5.0, 5.0), (5.0, 0.0, 5.0)])
def test_a_lattice_needs_as_many_positive_spacings_as_axes(spacing: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="3 positive numbers"):
        required_lattice(FIXED, spacing, 3)


def test_lattices_with_other_axes_do_not_refine() -> None:
    angle = math.pi / 6
    turned = ((math.cos(angle), -math.sin(angle)), (math.sin(angle), math.cos(angle)))
    source = Grid.axis_aligned((5, 6), (2.0, 2.0))
    target = Grid((9, 9), (1.0, 1.0), (0.0, 0.0), turned)
    with pytest.raises(InputError, match="axes differ"):
        refine_parameters(torch.zeros(60, dtype=torch.float64), source, target, 3)


@pytest.mark.parametrize("masked", [False, True])
def test_tops_are_at_one_height_and_middles_above_each_other(masked: bool) -> None:
    """Boxes as elastix takes them: from the first voxel's centre to one voxel beyond the last."""
    fixed = Grid.axis_aligned((10, 8, 6), (1.0, 2.0, 3.0), (5.0, -7.0, 11.0))
    moving = Grid.axis_aligned((7, 9, 12), (2.0, 1.0, 1.5), (-20.0, 30.0, 4.0))
    low, high = ((1, 2, 1), (6, 5, 3)) if masked else ((0, 0, 0), (9, 7, 5))
    mask = box_mask(fixed, low, high) if masked else None
    found = initial_alignment("GeometryTop", constant(fixed), constant(moving), fixed_mask=mask, moving_mask=None)
    corners = [
        [o + s * i for o, s, i in zip(fixed.origin, fixed.spacing, index)] for index in (low, [h + 1 for h in high])
    ]
    centre = [(a + b) / 2 for a, b in zip(*corners)]
    ends = [[o, o + s * n] for o, s, n in zip(moving.origin, moving.spacing, moving.size)]
    assert found.centre == pytest.approx(centre)
    expected = [sum(end) / 2 - c for end, c in zip(ends, centre)]
    expected[2] = ends[2][1] - corners[1][2]
    assert found.translation == pytest.approx(expected)
