"""Inverses: T(T^-1(y)) = y, what has none is refused with numbers, and what lies beyond the image is told apart."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elastix_impact.errors import ElastixImpactError
from elastix_impact.geometry.grid import Grid
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.transforms.inverse import TOLERANCE_MM, invert_linear, invert_points
from elastix_impact.transforms.lattice import required_lattice
from elastix_impact.transforms.translation import TranslationTransform
from transform_samples import GRIDS, points_inside, samples

CASES = [(name, kind) for name, grid in GRIDS.items() for kind in samples(grid)]
MICROMETRE = 1e-3


def spline(grid, amplitude, seed=0, order=3, spacing=14.0):
    """A random B-spline whose coefficients are within `amplitude` mm."""
    lattice = required_lattice(grid, (spacing,) * grid.dimension, order)
    generator = torch.Generator().manual_seed(seed)
    count = grid.dimension * lattice.number_of_voxels
    return BSplineTransform((torch.rand(count, generator=generator).double() * 2 - 1) * amplitude, lattice, order)


def assert_inverse(transform, fixed_points):
    asked = transform.map_points(fixed_points)
    found = invert_points(transform, asked)
    assert not found.failed.any()
    distance = (transform.map_points(found.world_points) - asked).norm(dim=1)
    assert distance.max() <= TOLERANCE_MM
    torch.testing.assert_close(found.residual, distance)
    return found


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_kind_is_undone(name, kind):
    grid = GRIDS[name]
    points = points_inside(grid)
    found = assert_inverse(samples(grid)[kind], points)
    if samples(grid)[kind].is_linear:
        torch.testing.assert_close(found.world_points, points, rtol=0, atol=1e-9)
        assert found.determinant.isposinf().all()


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(list(GRIDS)),
    st.integers(1, 3),
    st.floats(0.5, 4.0),
    st.integers(0, 10**6),
    st.sampled_from(["alone", "Compose", "Add", "three"]),
)
def test_chains_with_splines_are_undone(name, order, amplitude, seed, form):
    grid = GRIDS[name]
    kinds, one = samples(grid), spline(grid, amplitude, seed, order)
    transform = {
        "alone": one,
        "Compose": CompositeTransform(kinds["affine"], one, "Compose"),
        "Add": CompositeTransform(kinds["affine"], one, "Add"),
        "three": CompositeTransform(CompositeTransform(kinds["euler"], one), kinds["similarity"]),
    }[form]
    assert_inverse(transform, points_inside(grid))


def test_a_large_turn_that_defeats_fixed_point_steps_is_undone_when_it_is_added():
    grid = GRIDS["2d"]
    turn = AffineTransform(torch.tensor([0.0, -1.4, 1.4, 0.0, 3.0, 4.0], dtype=torch.float64), grid.centre)
    assert_inverse(CompositeTransform(turn, spline(grid, 1.0), "Add"), points_inside(grid))


def test_points_near_the_border_of_the_lattice_are_undone():
    """Steps from outside, where nothing moves, must find the way in."""
    grid = GRIDS["oblique anisotropic"]
    transform = samples(grid)["spline 3"]
    rim = grid.index_points()
    size = torch.tensor(grid.size) - 1
    assert_inverse(transform, grid.to_world(rim[((rim == 0) | (rim == size)).any(dim=1)]))


def test_the_inverse_of_a_linear_chain_is_exact_and_linear():
    kinds = samples(GRIDS["flipped"])
    chain = CompositeTransform(kinds["affine"], CompositeTransform(kinds["euler"], kinds["translation"], "Add"))
    points = points_inside(GRIDS["flipped"])
    torch.testing.assert_close(invert_linear(chain).map_points(chain.map_points(points)), points, rtol=0, atol=1e-9)


def test_a_reflection_is_no_fold():
    mirror = AffineTransform(torch.tensor([-1.0, 0, 0, 1.0, 2.0, 3.0], dtype=torch.float64), (5.0, 6.0))
    chain = CompositeTransform(mirror, spline(GRIDS["2d"], 1.0))
    assert_inverse(chain, points_inside(GRIDS["2d"]))


def test_a_singular_matrix_is_refused():
    flat = AffineTransform(torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0, 0.0], dtype=torch.float64), (0.0, 0.0))
    with pytest.raises(ElastixImpactError, match="singular"):
        invert_points(flat, torch.zeros(1, 2, dtype=torch.float64))


def folding():
    """x -> x + 12 sin-like bumps on nodes 14 mm apart: folds in the middle."""
    grid = Grid.axis_aligned((60, 60), (1.0, 1.0))
    lattice = required_lattice(grid, (10.0, 10.0), 3)
    coefficients = torch.zeros(2, *lattice.shape, dtype=torch.float64)
    coefficients[0, :, 0::2], coefficients[0, :, 1::2] = 30.0, -30.0
    return BSplineTransform(coefficients.flatten(), lattice, 3), grid


def test_a_fold_is_refused_with_its_numbers():
    transform, grid = folding()
    assert torch.linalg.det(transform.spatial_jacobian(grid.world_points())).min() < 0
    with pytest.raises(ElastixImpactError, match=r"\d+ of 3600 points have no inverse: .*determinant -?\d") as caught:
        invert_points(transform, grid.world_points(), grid)
    assert "mm" in str(caught.value)


def test_points_from_nowhere_are_refused_without_a_domain_and_marked_with_one():
    """A lattice that ends with the image and moves its rim by 3 mm leaves a gap behind."""
    grid = Grid.axis_aligned((40, 40), (1.0, 1.0))
    lattice = required_lattice(grid, (10.0, 10.0), 3)
    shift = torch.zeros(2, lattice.number_of_voxels, dtype=torch.float64)
    shift[0] = 3.0
    transform = BSplineTransform(shift.flatten(), lattice, 3)
    gap = torch.tensor([[0.5, 20.0], [1.5, 7.0]], dtype=torch.float64)
    with pytest.raises(ElastixImpactError, match="2 of 2 points have no inverse"):
        invert_points(transform, gap)
    inside = torch.tensor([[20.0, 20.0]], dtype=torch.float64)
    found = invert_points(transform, torch.cat([gap, inside]), grid)
    assert found.failed.tolist() == [True, True, False]
    torch.testing.assert_close(found.world_points[2:], inside - torch.tensor([[3.0, 0.0]]))


def test_points_of_another_dimension_are_refused():
    shift = TranslationTransform(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    with pytest.raises(ElastixImpactError, match="2 coordinates for a transform of 3"):
        invert_points(shift, torch.zeros(4, 2))


def test_no_points_have_no_inverses():
    found = invert_points(spline(GRIDS["2d"], 2.0), torch.zeros(0, 2, dtype=torch.float64))
    assert found.world_points.shape == (0, 2)


def test_a_float32_transform_is_undone_in_float64():
    grid = Grid.axis_aligned((60, 60), (1.0, 1.0))
    transform = spline(grid, 2.0).to(torch.float32)
    found = invert_points(transform, points_inside(grid).float())
    assert found.world_points.dtype == torch.float64
    assert math.isfinite(float(found.residual.max()))
    assert found.residual.max() <= TOLERANCE_MM
