"""Lattice weights, the weighted sum and its gradients, and the prefilter."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from elastix_impact.errors import InputError
from elastix_impact.geometry.bspline import (
    control_lattice,
    lattice_derivative_weights,
    lattice_weights,
    mirrored,
    prefilter,
    prefilter_matrix,
    weighted_sum,
)
from elastix_impact.geometry.grid import Grid

CPU = torch.device("cpu")
GRID = Grid((7, 6, 8), (2.0, 3.0, 4.0), (1.0, -5.0, 9.0), ((0.6, -0.8, 0.0), (0.8, 0.6, 0.0), (0.0, 0.0, 1.0)))


def valid_points(grid: Grid, order: int, count: int = 40) -> torch.Tensor:
    size = torch.tensor(grid.size, dtype=torch.float64)
    first = (order - 1) / 2
    return grid.to_world(torch.rand(count, grid.dimension, dtype=torch.float64) * (size - 1 - 2 * first) + first)


def textbook_kernel(x: float, order: int) -> float:
    """Centred B-spline of `order` by its recursion; Unser 1999, eq. (3) and the two-scale form of (2)."""
    if order == 0:
        return float(-0.5 <= x < 0.5)
    half = (order + 1) / 2
    return ((half + x) * textbook_kernel(x + 0.5, order - 1) + (half - x) * textbook_kernel(x - 0.5, order - 1)) / order


@pytest.mark.parametrize("order", [1, 2, 3])
def test_weights_are_products_of_the_textbook_kernel(order: int) -> None:
    lattice = control_lattice(GRID, order, torch.float64, CPU)
    world_points = valid_points(GRID, order, 5)
    weights, indices = lattice_weights(lattice, world_points)
    index_points = GRID.to_index(world_points)
    for n in range(5):
        for weight, node in zip(weights[n].tolist(), indices[n].tolist()):
            position = (node % 7, node // 7 % 6, node // 42)
            expected = np.prod([textbook_kernel(float(index_points[n, d]) - position[d], order) for d in range(3)])
            assert weight == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_weights_sum_to_one_and_reproduce_positions(order: int) -> None:
    lattice = control_lattice(GRID, order, torch.float64, CPU)
    world_points = valid_points(GRID, order)
    weights, indices = lattice_weights(lattice, world_points)
    torch.testing.assert_close(weights.sum(1), torch.ones(40, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(weighted_sum(GRID.world_points().T, weights, indices), world_points, rtol=0, atol=1e-11)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivative_weights_are_the_weights_slopes(order: int) -> None:
    lattice = control_lattice(GRID, order, torch.float64, CPU)
    world_points = valid_points(GRID, order, 10)
    slopes, indices = lattice_derivative_weights(lattice, world_points)
    assert torch.equal(indices, lattice_weights(lattice, world_points)[1])
    moved = world_points.clone().requires_grad_()
    pull = torch.randn(10, slopes.shape[2], dtype=torch.float64)
    (lattice_weights(lattice, moved)[0] * pull).sum().backward()
    torch.testing.assert_close((slopes * pull[:, None]).sum(2), moved.grad, rtol=0, atol=1e-11)


def test_weights_outside_are_zero_and_their_nodes_exist() -> None:
    lattice = control_lattice(GRID, 3, torch.float64, CPU)
    far = torch.tensor([[1e6, 0.0, 0.0], [0.0, -1e6, 0.0], [1.0, -5.0, 9.0]], dtype=torch.float64)
    weights, indices = lattice_weights(lattice, far)
    assert not weights.any()
    assert indices.min() >= 0
    assert indices.max() < GRID.number_of_voxels


@pytest.mark.parametrize(("size", "order"), [((3, 9), 3), ((9, 2), 2), ((1, 4), 1)])
def test_a_lattice_smaller_than_the_kernel_is_an_error(size: tuple[int, ...], order: int) -> None:
    with pytest.raises(InputError, match=f"at least {order + 1} control points"):
        control_lattice(Grid.axis_aligned(size, (1.0, 1.0)), order, torch.float64, CPU)


@pytest.mark.parametrize("order", [0, 4])
def test_other_orders_are_an_error(order: int) -> None:
    with pytest.raises(InputError, match="order 1, 2 or 3"):
        control_lattice(GRID, order, torch.float64, CPU)


def test_a_lattice_made_under_inference_mode_still_learns() -> None:
    grid = GRID.shifted((0.5, 0.0, 0.0))
    with torch.inference_mode():
        lattice = control_lattice(grid, 3, torch.float64, CPU)
    coefficients = torch.zeros(3, grid.number_of_voxels, dtype=torch.float64, requires_grad=True)
    world_points = valid_points(grid, 3).requires_grad_()
    weighted_sum(coefficients, *lattice_weights(lattice, world_points)).sum().backward()
    assert coefficients.grad is not None


def operands(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    coefficients = torch.randn(3, 50, dtype=dtype, requires_grad=True)
    weights = torch.randn(9, 8, dtype=dtype, requires_grad=True)
    return coefficients, weights, torch.randint(0, 50, (9, 8), dtype=torch.int32)


def test_weighted_sum_gradcheck() -> None:
    assert torch.autograd.gradcheck(weighted_sum, operands(torch.float64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weighted_sum_and_its_gradients_are_those_of_gather_and_multiply(dtype: torch.dtype) -> None:
    coefficients, weights, indices = operands(dtype)
    pull = torch.randn(9, 3, dtype=dtype)
    expected = (coefficients[:, indices.long()] * weights).sum(2).T
    actual = weighted_sum(coefficients, weights, indices)
    torch.testing.assert_close(actual, expected)
    ours = torch.autograd.grad(actual, (coefficients, weights), pull)
    theirs = torch.autograd.grad(expected, (coefficients, weights), pull)
    torch.testing.assert_close(ours, theirs)


def test_the_gradient_by_weights_is_left_out_where_not_asked() -> None:
    coefficients, weights, indices = operands(torch.float64)
    weighted_sum(coefficients, weights.detach(), indices).sum().backward()
    assert coefficients.grad is not None


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("size", [(12, 9, 7), (2, 5, 3), (31, 1, 4), (40, 23)])
def test_prefilter_is_itks_decomposition(size: tuple[int, ...], order: int) -> None:
    samples = torch.randn(*size[::-1], dtype=torch.float64)
    decomposition = sitk.BSplineDecompositionImageFilter()
    decomposition.SetSplineOrder(order)
    expected = torch.from_numpy(sitk.GetArrayFromImage(decomposition.Execute(sitk.GetImageFromArray(samples.numpy()))))
    torch.testing.assert_close(prefilter(samples, order, dims=len(size)), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("order", [2, 3])
def test_prefilter_treats_channels_apart_and_keeps_the_dtype(order: int) -> None:
    volume = torch.randn(4, 6, 5, 7)
    coefficients = prefilter(volume, order, dims=3)
    assert coefficients.dtype == torch.float32
    for channel in range(4):
        torch.testing.assert_close(coefficients[channel], prefilter(volume[channel], order, dims=3))


@pytest.mark.parametrize("order", [0, 1])
def test_low_orders_need_no_prefilter(order: int) -> None:
    volume = torch.randn(6, 5, 7)
    assert prefilter(volume, order, dims=3) is volume
    assert torch.equal(prefilter_matrix(5, order), torch.eye(5, dtype=torch.float64))


def test_the_spline_passes_through_the_samples() -> None:
    samples = torch.randn(9, dtype=torch.float64)
    coefficients = prefilter(samples, 3, dims=1)
    index = mirrored(torch.arange(9)[:, None] + torch.tensor([-1, 0, 1]), 9)
    torch.testing.assert_close(coefficients[index] @ torch.tensor([1 / 6, 4 / 6, 1 / 6]).double(), samples)


def test_mirrored() -> None:
    assert mirrored(torch.arange(-5, 9), 4).tolist() == [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert mirrored(torch.arange(-2, 3), 1).tolist() == [0] * 5
