"""Samplers in particular: lattices in small masks, regions and their sizes, joint rows."""

import pytest
import torch

from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Grid
from elastix_impact.samplers.fixed import GridSampler, spacing_for
from elastix_impact.samplers.joint import JointSampler
from elastix_impact.samplers.random import RandomSampler
from elastix_impact.samplers.region import RandomRegionSampler, choose_inside, default_region_size

GRID = Grid.axis_aligned((21, 11, 31), (1.0, 2.0, 0.5))


def test_a_lattice_that_misses_the_mask_is_narrowed_one_voxel_at_a_time() -> None:
    """Two corners of a 9 x 9 box: the lattices of spacing 7, 6 and 5 lie beside them, that of 4 goes through."""
    grid = Grid.axis_aligned((9, 9), (1.0, 1.0))
    mask = torch.zeros(9, 9, dtype=torch.bool)
    mask[0, 0] = mask[8, 8] = True
    sampler = GridSampler(grid, mask, "cpu", number_of_samples=2)
    assert spacing_for(2, (0, 0), (8, 8)) == 6
    assert sampler.draw().tolist() == [[0.0, 0.0], [8.0, 8.0]]


@pytest.mark.parametrize(("number", "spacing"), [(1, 9), (81, 1), (10_000, 1), (13, 2), (12, 3), (2, 6)])
def test_the_spacing_is_the_rounded_root(number: int, spacing: int) -> None:
    assert spacing_for(number, (0, 0), (8, 8)) == spacing


def test_the_spacing_counts_the_voxels_of_a_box_anywhere() -> None:
    """81 voxels from (3, 4) to (11, 12): for 9 samples every third one."""
    assert spacing_for(9, (3, 4), (11, 12)) == 3


def test_the_default_region_is_a_third_of_the_longest_side_and_fits() -> None:
    """Sides are 20, 20 and 15 mm."""
    assert default_region_size(GRID) == (20 / 3, 20 / 3, 20 / 3)
    flat = Grid.axis_aligned((61, 4), (1.0, 1.0))
    assert default_region_size(flat) == (20.0, 3.0)


@pytest.mark.parametrize("size", [(0.0, 5.0, 5.0), (20.0, 20.0, 15.0)])
def test_regions_of_no_extent_and_of_the_whole_image_fit(size: tuple[float, ...], generator: torch.Generator) -> None:
    points = RandomRegionSampler(GRID, None, 2000, "cpu", size).draw(generator)
    extent = points.amax(0) - points.amin(0)
    assert (extent <= torch.tensor(size) + 1e-4).all()
    assert (extent >= 0.98 * torch.tensor(size)).all()


@pytest.mark.parametrize("size", [(-1.0, 5.0, 5.0), (20.1, 5.0, 5.0), (5.0, 20.1, 5.0), (5.0, 5.0), (5.0, 5.0, 15.1)])
def test_other_regions_are_refused(size: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="SampleRegionSize"):
        RandomRegionSampler(GRID, None, 10, "cpu", size)


def test_where_a_region_lies_has_nothing_to_do_with_its_points(generator: torch.Generator) -> None:
    """The last of a draw's points is anywhere in its region, wherever that lies."""
    sampler = RandomRegionSampler(GRID, None, 40, "cpu", (4.0, 4.0, 4.0))
    draws = torch.stack([sampler.draw(generator) for _ in range(400)])
    corners, last = draws.amin(1), draws[:, -1]
    for axis in range(3):
        together = torch.corrcoef(torch.stack([corners[:, axis], (last - corners)[:, axis]]))[0, 1]
        assert together.abs() < 0.2


def test_true_entries_are_chosen_in_turn_and_none_is_the_end() -> None:
    inside = torch.tensor([False, True, False, True, True])
    assert choose_inside(inside, 7).tolist() == [1, 3, 4, 1, 3, 4, 1]
    assert choose_inside(torch.tensor([False, False, True]), 3).tolist() == [2, 2, 2]
    assert choose_inside(torch.zeros(5, dtype=torch.bool), 3).tolist() == [5, 5, 5]


def test_rows_of_joint_samplers_follow_each_other(generator: torch.Generator) -> None:
    parts = [RandomSampler(GRID, None, count, "cpu") for count in (3, 5, 2)]
    sampler = JointSampler(parts)
    assert sampler.rows == (slice(0, 3), slice(3, 8), slice(8, 10))
    points, again = sampler.draw(generator), torch.Generator().manual_seed(0)
    for rows, part in zip(sampler.rows, parts):
        assert torch.equal(points[rows], part.draw(again))
