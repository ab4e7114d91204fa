"""Linear parts of chains, and lattices between both parts, by hand."""

import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.transforms.straighten import Straightened, lattice_around
from elastix_impact.transforms.translation import TranslationTransform
from transform_samples import GRIDS, points_inside, samples

GRID = Grid.axis_aligned((10, 8), (1.0, 2.0), (5.0, -3.0))
NOTHING = Straightened(None, None)


def test_a_linear_part_and_what_follows() -> None:
    kinds, points = samples(GRIDS["2d"]), points_inside(GRIDS["2d"])
    whole = CompositeTransform(kinds["affine"], kinds["spline 3"])
    straight = Straightened.of(whole)
    assert straight.linear is not None
    assert straight.rest(whole) is whole.current
    torch.testing.assert_close(straight.fixed_points(kinds["affine"].map_points(points)), points, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("initial", "current", "combination"), [
    ("affine", "spline 3", "Add"), ("spline 3", "spline 2", "Compose"), ("affine", "euler", "Compose"),
])  # fmt: skip
def test_other_chains_are_all_rest(initial: str, current: str, combination) -> None:
    kinds, points = samples(GRIDS["2d"]), points_inside(GRIDS["2d"])
    whole = CompositeTransform(kinds[initial], kinds[current], combination)
    straight = Straightened.of(whole)
    assert straight.linear is None
    assert straight.inverse is None
    assert straight.rest(whole) is whole
    assert straight.fixed_points(points) is points


def test_a_transform_alone_is_all_rest() -> None:
    spline = samples(GRIDS["2d"])["spline 3"]
    assert Straightened.of(spline).rest(spline) is spline


def test_the_lattice_of_the_grid_itself() -> None:
    assert lattice_around(NOTHING, GRID, None, 0.5) == GRID, "no axis is finer than the grid"


def test_what_is_left_of_a_length_lies_at_both_ends() -> None:
    """9 mm hold 3 steps of 2.5, 14 mm hold 5: 1.5 mm over 2 each."""
    grid = lattice_around(NOTHING, GRID, None, 2.5)
    assert grid is not None
    assert (grid.size, grid.spacing) == ((4, 6), (2.5, 2.5))
    assert grid.origin == pytest.approx((5.0 + 0.75, -3.0 + 0.75))


def test_a_margin_lies_outside() -> None:
    grid = lattice_around(NOTHING, GRID, None, 2.5, margin=3)
    assert grid is not None
    assert grid.size == (10, 12)
    assert grid.origin == pytest.approx((5.75 - 7.5, -2.25 - 7.5))


def test_a_mask_bounds_it_by_its_outermost_voxels() -> None:
    """Voxels x 2 to 6 on one line and 4 on another: from (7, 1) to (11, 7)."""
    mask = torch.zeros(GRID.shape, dtype=torch.bool)
    mask[2, [2, 6]] = mask[5, 4] = True
    grid = lattice_around(NOTHING, GRID, mask, 1.0)
    assert grid is not None
    assert (grid.size, grid.spacing) == ((5, 4), (1.0, 2.0))
    assert grid.origin == pytest.approx((7.0, 1.0))
    assert lattice_around(NOTHING, GRID, torch.zeros(GRID.shape, dtype=torch.bool), 1.0) is None


def test_after_a_scale_along_oblique_axes_it_is_as_much_wider() -> None:
    """Twice the size about the first voxel: 18 by 28 mm, in steps of 1 by 2 mm along the grid's own axes."""
    oblique = Grid(GRID.size, GRID.spacing, (0.0, 0.0), ((0.8, -0.6), (0.6, 0.8)))
    double = AffineTransform(torch.tensor([2.0, 0.0, 0.0, 2.0, 4.0, -1.0], dtype=torch.float64), (0.0, 0.0))
    grid = lattice_around(Straightened(double, None), oblique, None, 0.0)
    assert grid is not None
    assert (grid.size, grid.spacing, grid.direction) == ((19, 15), (1.0, 2.0), oblique.direction)
    assert grid.origin == pytest.approx((4.0, -1.0))


def test_fixed_points_keep_their_dtype() -> None:
    kinds = samples(GRIDS["2d"])
    straight = Straightened.of(CompositeTransform(TranslationTransform(torch.tensor([3.0, -4.0])), kinds["spline 3"]))
    moved = straight.fixed_points(torch.tensor([[5.0, 5.0]]))
    assert moved.dtype == torch.float32
    torch.testing.assert_close(moved, torch.tensor([[2.0, 9.0]]))
