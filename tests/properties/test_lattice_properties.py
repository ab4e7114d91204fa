"""Laws of B-spline lattices for any image, spacing and order."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elastix_impact.geometry.bspline import control_lattice, lattice_weights
from elastix_impact.geometry.grid import Grid
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.lattice import refine_parameters, required_lattice

LENGTH = st.floats(0.3, 6.0)


@st.composite
def grids(draw: st.DrawFn) -> tuple:
    """Arguments of a Grid; made in the test, since run-time type checks draw random numbers of their own."""
    dimension = draw(st.sampled_from([2, 3]))
    angle = draw(st.floats(-3.1, 3.1))
    sine, cosine = math.sin(angle), math.cos(angle)
    turned = ((cosine, -sine, 0.0), (sine, cosine, 0.0), (0.0, 0.0, 1.0))
    return (
        tuple(draw(st.integers(1, 30)) for _ in range(dimension)),
        tuple(draw(LENGTH) for _ in range(dimension)),
        tuple(draw(st.floats(-2000, 2000)) for _ in range(dimension)),
        tuple(row[:dimension] for row in turned[:dimension]),
    )


def outer_corners(grid: Grid) -> torch.Tensor:
    """World points of the image's outer corners, half a voxel beyond the voxel centres."""
    ends = [torch.tensor([-0.5, n - 0.5], dtype=torch.float64) for n in grid.size]
    return grid.to_world(torch.cartesian_prod(*ends))


@given(grids(), st.floats(1.0, 20.0), st.sampled_from([1, 2, 3]))
@settings(deadline=None)
def test_the_valid_region_covers_the_image_and_is_centred_on_it(arguments: tuple, spacing: float, order: int) -> None:
    grid = Grid(*arguments)
    lattice = required_lattice(grid, (spacing,) * grid.dimension, order)
    torch.testing.assert_close(
        torch.tensor(lattice.centre).double(), torch.tensor(grid.centre).double(), rtol=0, atol=1e-8
    )
    index_points = lattice.to_index(outer_corners(grid))
    first = (order - 1) / 2
    assert (index_points >= first - 1e-6).all()
    assert (index_points <= torch.tensor(lattice.size).double() - 1 - first + 1e-6).all()
    weights, _ = lattice_weights(
        control_lattice(lattice, order, torch.float64, torch.device("cpu")), grid.world_points()
    )
    torch.testing.assert_close(weights.sum(1), torch.ones(grid.number_of_voxels).double(), rtol=0, atol=1e-9)


@given(grids(), st.floats(1.0, 20.0), st.floats(0.2, 5.0))
@settings(deadline=None)
def test_an_initial_scaling_stretches_the_lattice_with_the_image(
    arguments: tuple, spacing: float, scale: float
) -> None:
    grid = Grid(*arguments)
    dimension = grid.dimension
    matrix = scale * torch.eye(dimension, dtype=torch.float64)
    parameters = torch.cat([matrix.flatten(), torch.zeros(dimension, dtype=torch.float64)])
    initial = AffineTransform(parameters, grid.centre)
    lattice = required_lattice(grid, (spacing,) * dimension, 3, initial)
    mapped = initial.map_points(grid.world_points())
    index_points = lattice.to_index(mapped)
    assert (index_points >= 1 - 1e-6).all()
    assert (index_points < torch.tensor(lattice.size).double() - 2 + 1e-6).all()
    torch.testing.assert_close(
        torch.tensor(lattice.centre).double(), torch.tensor(grid.centre).double(), rtol=0, atol=1e-6
    )
    for axis, count in enumerate(grid.size):
        expected = spacing * scale if count > 1 else spacing
        assert math.isclose(lattice.spacing[axis], expected, rel_tol=1e-9)


@given(
    st.sampled_from([2, 3]),
    st.sampled_from([1, 3]),
    st.integers(1, 3),
    st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=40)
def test_refining_a_nested_lattice_keeps_the_deformation(dimension: int, order: int, factor: int, seed: int) -> None:
    """Away from the border: there the prefilter mirrors what the coarse spline need not."""
    coarse = Grid.axis_aligned((14, 13, 12)[:dimension], (6.0, 5.0, 7.0)[:dimension], (-30.0, 4.0, 900.0)[:dimension])
    fine = Grid.axis_aligned(
        tuple((n - 1) * factor + 1 for n in coarse.size), tuple(s / factor for s in coarse.spacing), coarse.origin
    )
    parameters = torch.zeros(dimension, *coarse.shape, dtype=torch.float64)
    middle = (slice(None), *(slice(5, -5),) * dimension)
    generator = torch.Generator().manual_seed(seed)
    parameters[middle] = torch.randn(parameters[middle].shape, generator=generator, dtype=torch.float64)
    before = BSplineTransform(parameters.flatten(), coarse, order)
    after = BSplineTransform(refine_parameters(parameters.flatten(), coarse, fine, order), fine, order)
    spread = torch.rand(50, dimension, generator=generator, dtype=torch.float64)
    world_points = coarse.to_world(spread * (torch.tensor(coarse.size) - 5) + 2)
    torch.testing.assert_close(after.map_points(world_points), before.map_points(world_points), rtol=0, atol=1e-6)


@given(grids(), st.floats(1.0, 20.0), st.sampled_from([1, 2, 3]))
@settings(deadline=None, max_examples=30)
def test_refining_a_constant_displacement_keeps_it(arguments: tuple, spacing: float, order: int) -> None:
    grid = Grid(*arguments)
    coarse = required_lattice(grid, (2 * spacing,) * grid.dimension, order)
    fine = required_lattice(grid, (spacing,) * grid.dimension, order)
    parameters = torch.full((grid.dimension * coarse.number_of_voxels,), 2.5, dtype=torch.float64)
    refined = refine_parameters(parameters, coarse, fine, order)
    torch.testing.assert_close(refined, torch.full_like(refined, 2.5), rtol=0, atol=1e-8)


def test_refining_onto_itself_changes_nothing() -> None:
    lattice = Grid.axis_aligned((5, 6), (2.0, 2.0))
    parameters = torch.randn(60, dtype=torch.float64)
    assert refine_parameters(parameters, lattice, lattice, 3) is parameters
