"""Second derivatives of splines: those of the first derivatives, by differences, and a parabola's by hand."""

import pytest
import torch

from elastix_impact.geometry.bspline import control_lattice, lattice_derivative_weights, weighted_sum
from elastix_impact.geometry.bspline_hessian import lattice_hessian
from elastix_impact.geometry.grid import Grid

CPU = torch.device("cpu")
TURNED = {2: ((0.8, -0.6), (0.6, 0.8)), 3: ((0.0, -1.0, 0.0), (0.8, 0.0, -0.6), (0.6, 0.0, 0.8))}


@pytest.mark.parametrize("dimension", [2, 3])
def test_they_are_the_slopes_of_the_slopes(dimension: int) -> None:
    grid = Grid((8, 7, 6)[:dimension], (2.0, 3.0, 1.5)[:dimension], (1.0, -2.0, 4.0)[:dimension], TURNED[dimension])
    lattice = control_lattice(grid, 3, torch.float64, CPU)
    generator = torch.Generator().manual_seed(2)
    coefficients = torch.randn(dimension, grid.number_of_voxels, generator=generator, dtype=torch.float64)
    coefficients.requires_grad_()
    places = torch.rand(9, dimension, generator=generator, dtype=torch.float64) * 2.5 + 1.2
    points, step = grid.to_world(places), 1e-5

    def slopes(at: torch.Tensor) -> torch.Tensor:
        by_axis, indices = lattice_derivative_weights(lattice, at)
        return torch.stack([weighted_sum(coefficients, by_axis[:, i], indices) for i in range(dimension)], dim=2)

    found = lattice_hessian(coefficients, lattice, points)
    moves = torch.eye(dimension, dtype=torch.float64) * step
    expected = torch.stack([(slopes(points + move) - slopes(points - move)) / (2 * step) for move in moves], dim=3)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-7)
    probe = torch.randn(found.shape, generator=generator, dtype=torch.float64)
    by_coefficients = [torch.autograd.grad((of * probe).sum(), coefficients)[0] for of in (found, expected)]
    torch.testing.assert_close(*by_coefficients, rtol=0, atol=1e-6)


@pytest.mark.parametrize("order", [2, 3])
def test_of_a_parabola_they_are_the_same_everywhere_and_none_outside(order: int) -> None:
    """Coefficients i^2 on nodes 2 mm apart make x^2 / 4 and a constant: a bend of 1 / 2 per mm."""
    grid = Grid.axis_aligned((8, 6), (2.0, 1.0))
    nodes = torch.arange(8.0, dtype=torch.float64).square().expand(6, 8)
    coefficients = torch.stack([nodes.flatten(), torch.zeros(48, dtype=torch.float64)])
    points = torch.tensor([[5.0, 2.3], [7.1, 2.0], [-3.0, 2.0]], dtype=torch.float64)
    found = lattice_hessian(coefficients, control_lattice(grid, order, torch.float64, CPU), points)
    expected = torch.zeros(3, 2, 2, 2, dtype=torch.float64)
    expected[:2, 0, 0, 0] = 0.5
    torch.testing.assert_close(found, expected)
