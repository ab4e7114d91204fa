"""Splines read by rows: the same numbers as the weighted sum that has gradients."""

import pytest
import torch

from elastix_impact.geometry.bspline import (
    control_lattice,
    lattice_derivative_weights,
    lattice_weights,
    weighted_sum,
)
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.spline_rows import SplineRows
from elastix_impact.transforms.bspline import CHUNK

TURNED = {2: ((0.8, -0.6), (0.6, 0.8)), 3: ((0.0, -1.0, 0.0), (0.8, 0.0, -0.6), (0.6, 0.0, 0.8))}


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-12)])
def test_values_and_slopes(order: int, dimension: int, dtype: torch.dtype, tolerance: float) -> None:
    grid = Grid((7, 5, 6)[:dimension], (2.0, 3.0, 1.5)[:dimension], (1.0, -2.0, 4.0)[:dimension], TURNED[dimension])
    generator = torch.Generator().manual_seed(5)
    coefficients = torch.randn(dimension, grid.number_of_voxels, generator=generator, dtype=torch.float64).to(dtype)
    lattice = control_lattice(grid, order, dtype, torch.device("cpu"))
    inside_and_out = torch.rand(CHUNK + 100, dimension, generator=generator, dtype=torch.float64) * 9 - 1.5
    points = grid.to_world(inside_and_out).to(dtype)
    rows = SplineRows(coefficients, lattice)
    values = weighted_sum(coefficients, *lattice_weights(lattice, points))
    assert ((values == 0).all(1)).any(), "some points lie outside"
    torch.testing.assert_close(rows.values(points), values, atol=tolerance, rtol=tolerance)
    by_axis, indices = lattice_derivative_weights(lattice, points)
    slopes = torch.stack([weighted_sum(coefficients, by_axis[:, axis], indices) for axis in range(dimension)], dim=2)
    torch.testing.assert_close(rows.slopes(points), slopes, atol=tolerance, rtol=tolerance)


def test_no_points() -> None:
    lattice = control_lattice(Grid.axis_aligned((5, 5), (1.0, 1.0)), 3, torch.float64, torch.device("cpu"))
    assert SplineRows(torch.ones(2, 25, dtype=torch.float64), lattice).values(torch.empty(0, 2).double()).shape == (
        0,
        2,
    )
