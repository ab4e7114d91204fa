"""Second derivatives of transforms: against differences of the first ones, and what a lattice promises."""

import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform
from transform_samples import GRIDS, samples

CASES = [(name, kind) for name, grid in GRIDS.items() for kind in samples(grid)]


def points(grid: Grid, count: int = 40) -> torch.Tensor:
    unit = torch.rand(count, grid.dimension, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return grid.to_world(unit * (torch.tensor(grid.size, dtype=torch.float64) - 1))


def assert_is_the_slope_of_the_jacobian(transform: AbstractTransform, world_points: torch.Tensor) -> None:
    hessian = transform.spatial_hessian(world_points)
    for axis, step in enumerate(torch.eye(world_points.shape[1], dtype=torch.float64) * 1e-5):
        forward, backward = (transform.spatial_jacobian(world_points + s) for s in (step, -step))
        torch.testing.assert_close(hessian[..., axis], (forward - backward) / 2e-5, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(hessian, hessian.transpose(2, 3), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("grid", "kind"), CASES)
def test_it_is_the_slope_of_the_jacobian(grid: str, kind: str) -> None:
    transform = samples(GRIDS[grid])[kind]
    assert_is_the_slope_of_the_jacobian(transform, points(GRIDS[grid]))
    assert transform.is_linear == (not kind.startswith("spline"))


@pytest.mark.parametrize("combination", ["Compose", "Add"])
@pytest.mark.parametrize("grid", ["oblique anisotropic", "2d"])
@pytest.mark.parametrize("initial", ["euler", "spline 2"])
@pytest.mark.parametrize("current", ["affine", "spline 3"])
def test_of_two_transforms(combination, grid: str, initial: str, current: str) -> None:
    kinds = samples(GRIDS[grid])
    both = CompositeTransform(kinds[initial], kinds[current], combination)
    assert_is_the_slope_of_the_jacobian(both, points(GRIDS[grid]))
    assert both.is_linear == (initial == "euler" and current == "affine")


@pytest.mark.parametrize("combination", ["Compose", "Add"])
@pytest.mark.parametrize("initial", ["euler", "spline 2"])
def test_gradient_by_the_parameters(combination, initial: str) -> None:
    grid = Grid((6, 7), (2.0, 1.5), (5.0, -3.0), GRIDS["2d"].direction)
    kinds = samples(grid)
    whole = CompositeTransform(kinds[initial], kinds["spline 3"], combination)
    world_points = points(grid, 5)
    parameters = whole.parameters.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda p: whole.with_parameters(p).spatial_hessian(world_points), parameters)


@pytest.mark.parametrize("kind", ["translation", "affine", "euler"])
def test_gradient_of_a_linear_transform_is_zero(kind: str) -> None:
    transform, world_points = samples(GRIDS["2d"])[kind], points(GRIDS["2d"])
    parameters = transform.parameters.clone().requires_grad_()
    hessian = transform.with_parameters(parameters).spatial_hessian(world_points)
    assert hessian.shape == (40, 2, 2, 2)
    (gradient,) = torch.autograd.grad(hessian.square().sum(), parameters)
    assert not hessian.any()
    assert torch.equal(gradient, torch.zeros_like(parameters))


def test_it_is_zero_outside_the_lattice() -> None:
    transform = samples(GRIDS["axis aligned"])["spline 3"]
    outside = points(GRIDS["axis aligned"]) + 1e4
    assert not transform.spatial_hessian(outside).any()


def test_of_a_parabola() -> None:
    """Cubic splines reproduce x^2: coefficients k^2 - 1/3 give it in node units."""
    lattice = Grid.axis_aligned((9, 8), (2.0, 3.0), (-8.0, -9.0))
    k = lattice.index_points()[:, 0]
    transform = BSplineTransform(torch.cat([k**2 - 1 / 3, torch.zeros_like(k)]), lattice)
    hessian = transform.spatial_hessian(torch.tensor([[0.7, 1.3], [-2.1, 0.4]], dtype=torch.float64))
    expected = torch.zeros(2, 2, 2, 2, dtype=torch.float64)
    expected[:, 0, 0, 0] = 2 / 2.0**2
    torch.testing.assert_close(hessian, expected, rtol=1e-12, atol=1e-12)


def test_chunks_do_not_show() -> None:
    transform = samples(GRIDS["2d"])["spline 3"]
    world_points = points(GRIDS["2d"], 40000)
    some = transform.spatial_hessian(world_points[16000:17000])
    torch.testing.assert_close(transform.spatial_hessian(world_points)[16000:17000], some, rtol=1e-12, atol=1e-14)
