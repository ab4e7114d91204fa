"""Tensors that are made once and kept: those made under inference mode must serve a loop with gradients."""

import torch

from elastix_impact.geometry import kernels, lattice_points, patches
from elastix_impact.geometry.grid import Grid

CPU = torch.device("cpu")
GRID = Grid.axis_aligned((6, 7), (1.0, 2.0), (0.25, 0.5))
PATCH = Grid.axis_aligned((3, 3), (0.5, 0.5), (-0.5, -0.5))


def test_kernels_made_under_inference_mode_serve_gradients() -> None:
    kernels._matrices.cache_clear()
    kernels._spread_matrices.cache_clear()
    with torch.inference_mode():
        made = [*kernels._matrices(2, torch.float64, CPU)]
        made += [matrix for axis in kernels._spread_matrices(2, 2, torch.float32, CPU) for matrix in axis]
    assert not any(matrix.is_inference() for matrix in made)


def test_matrices_of_lattices_made_under_inference_mode_serve_gradients() -> None:
    lattice_points._matrices.cache_clear()
    with torch.inference_mode():
        made = lattice_points._matrices(GRID, 3, GRID, torch.float64, CPU)
    assert not any(matrix.is_inference() for matrix in made)


def test_plans_of_blocks_made_under_inference_mode_serve_gradients() -> None:
    patches._block_plan.cache_clear()
    with torch.inference_mode():
        plan = patches._block_plan(PATCH, GRID, 3, torch.float64, CPU)
    assert not any(part.is_inference() for part in (plan.centre_to_first, *plan.along, *plan.widths, plan.taps))


def test_the_plan_of_a_block_by_hand() -> None:
    """Points half a millimetre apart are half and a quarter of a node apart; the first lies half a mm before."""
    plan = patches._block_plan(PATCH, GRID, 3, torch.float64, CPU)
    assert [axis.tolist() for axis in plan.along] == [[0.0, 0.5, 1.0], [0.0, 0.25, 0.5]]
    expected = torch.tensor([[1.0, 0.0, -0.5 - 0.25], [0.0, 0.5, -0.25 - 0.25]], dtype=torch.float64)
    torch.testing.assert_close(plan.centre_to_first, expected)
    assert plan.taps.tolist() == [0, 1, 2, 3]


def test_the_matrices_of_a_quadratic_kernel_by_hand() -> None:
    """Taps (1 - t)^2 / 2, 1/2 + t - t^2 and t^2 / 2 with their derivatives; row p belongs to t^p."""
    weights, slopes, curvatures = kernels._matrices(2, torch.float64, CPU)
    assert weights.tolist() == [[0.5, 0.5, 0.0], [-1.0, 1.0, 0.0], [0.5, -1.0, 0.5]]
    assert slopes.tolist() == [[-1.0, 1.0, 0.0], [1.0, -2.0, 1.0], [0.0, 0.0, 0.0]]
    assert curvatures.tolist() == [[1.0, -2.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
