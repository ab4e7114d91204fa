"""Grids: every frame into every other and back, and what no grid can be."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Frame, Grid, apply_matrix


def _random_grid(seed, dimension):
    generator = torch.Generator().manual_seed(seed)
    rotation, _ = torch.linalg.qr(torch.randn(dimension, dimension, generator=generator, dtype=torch.float64))
    numbers = torch.rand(3, dimension, generator=generator, dtype=torch.float64)
    return Grid(
        tuple((2 + numbers[0] * 50).int().tolist()),
        tuple((0.1 + numbers[1] * 5).tolist()),
        tuple(((numbers[2] - 0.5) * 4000).tolist()),
        tuple(tuple(row) for row in rotation.tolist()),
    )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), dimension=st.sampled_from([2, 3]))
def test_there_and_back_is_nowhere_for_every_pair_of_frames(seed, dimension):
    grid = _random_grid(seed, dimension)
    points = torch.rand(5, dimension, dtype=torch.float64) * 10
    for source, target in itertools.product(Frame, repeat=2):
        there = apply_matrix(grid.matrix(source, target), points)
        torch.testing.assert_close(apply_matrix(grid.matrix(target, source), there), points, atol=1e-8, rtol=0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), dimension=st.sampled_from([2, 3]))
def test_corners_are_at_one_in_the_unit_frame_and_points_are_ordered_x_first(seed, dimension):
    grid = _random_grid(seed, dimension)
    last = torch.tensor([[n - 1.0 for n in grid.size]], dtype=torch.float64)
    unit = apply_matrix(grid.matrix(Frame.INDEX, Frame.UNIT), torch.cat([torch.zeros_like(last), last]))
    torch.testing.assert_close(unit, torch.tensor([[-1.0], [1.0]], dtype=torch.float64).expand(2, dimension))
    voxels = grid.index_points()
    assert voxels[1].tolist() == [1.0] + [0.0] * (dimension - 1)
    assert torch.equal(voxels[-1:], last)
    torch.testing.assert_close(grid.to_index(grid.world_points()), voxels, atol=1e-7, rtol=0)


def test_the_centre_is_the_middle_of_the_voxel_centres():
    grid = Grid((3, 5), (2.0, 1.0), (10.0, 20.0), ((0.0, -1.0), (1.0, 0.0)))
    assert grid.centre == pytest.approx((8.0, 22.0))
    assert grid.shifted((1.0, 2.0)).centre == pytest.approx((9.0, 24.0))
    assert grid.without_direction().centre == pytest.approx((12.0, 22.0))


def test_grids_are_the_same_within_a_thousandth_of_a_voxel():
    grid = Grid.axis_aligned((10, 10, 10), (1.0, 1.0, 1.0))
    assert grid.same_as(grid.shifted((5e-4, 0.0, 0.0)))
    assert not grid.same_as(grid.shifted((5e-3, 0.0, 0.0)))
    assert not grid.same_as(Grid.axis_aligned((10, 10, 10), (1.001, 1.0, 1.0)))
    assert not grid.same_as(Grid.axis_aligned((10, 10, 11), (1.0, 1.0, 1.0)))


@pytest.mark.parametrize(
    ("size", "spacing", "origin", "direction", "says"),
    [
        ((0, 2), (1.0, 1.0), (0.0, 0.0), ((1.0, 0.0), (0.0, 1.0)), "at least one voxel"),
        ((2, 2), (0.0, 1.0), (0.0, 0.0), ((1.0, 0.0), (0.0, 1.0)), "spacing must be positive"),
        ((2, 2), (1.0, 1.0), (math.nan, 0.0), ((1.0, 0.0), (0.0, 1.0)), "origin must be finite"),
        ((2, 2), (1.0, 1.0), (0.0, 0.0), ((1.0, 0.0), (1.0, 0.0)), "singular"),
        ((2, 2), (1.0, 1.0), (0.0, 0.0), ((math.nan, 0.0), (1.0, 0.0)), "singular"),
        ((2, 2), (1.0,), (0.0, 0.0), ((1.0, 0.0), (0.0, 1.0)), "needs 2 spacings"),
    ],
)
def test_what_no_grid_can_be(size, spacing, origin, direction, says):
    with pytest.raises(InputError, match=says):
        Grid(size, spacing, origin, direction)
