"""Splines on lattices against sums of taps, and sums over boxes against torch's pooling."""

import pytest
import torch
import torch.nn.functional as F

from elastix_impact.geometry.box_sum import box_spread, box_sum
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.lattice_points import LatticePoints, is_parallel, spline_on_lattice
from transform_samples import TURNED, turned_spline


def lattice(dimension: int) -> Grid:
    """Reaches beyond the control points on one side."""
    return Grid((19, 16, 9)[:dimension], (1.7, 2.1, 2.9)[:dimension], (-4.0, 5.0, 0.0)[:dimension], TURNED[dimension])


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_spline_on_a_lattice_is_the_sum_of_its_taps(dimension, order, generator) -> None:
    transform = turned_spline(dimension, order, 8.0, generator)
    points = LatticePoints.of(lattice(dimension), torch.float64, "cpu")
    assert is_parallel(points.grid, transform.grid)
    mapped, expected = transform.map_lattice(points), transform.map_points(points.points)
    torch.testing.assert_close(mapped, expected, rtol=0, atol=1e-11)
    still = (expected == points.points).all(1)
    assert 0 < int(still.sum()) < len(still)


@pytest.mark.parametrize("dimension", [2, 3])
def test_its_gradient_is_that_of_the_sum(dimension, generator) -> None:
    transform = turned_spline(dimension, 3, 8.0, generator)
    points = LatticePoints.of(lattice(dimension), torch.float64, "cpu")
    leaf = transform.parameters.clone().requires_grad_()
    weights = torch.rand(points.points.shape, generator=generator, dtype=torch.float64)
    fast, slow = (
        torch.autograd.grad((mapped * weights).sum(), leaf)[0]
        for mapped in (
            transform.with_parameters(leaf).map_lattice(points),
            transform.with_parameters(leaf).map_points(points.points),
        )
    )
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-10)


def test_other_axes_are_not_parallel_and_still_mapped(generator) -> None:
    transform = turned_spline(3, 3, 8.0, generator)
    straight = LatticePoints.of(Grid.axis_aligned((5, 5, 5), (2.0, 2.0, 2.0), (8.0, 8.0, -9.0)), torch.float64, "cpu")
    assert not is_parallel(straight.grid, transform.grid)
    assert torch.equal(transform.map_lattice(straight), transform.map_points(straight.points))
    values = spline_on_lattice(torch.ones(1, transform.grid.number_of_voxels).double(), transform.grid, 3, lattice(3))
    assert float(values.max()) == pytest.approx(1.0)  # the taps' weights sum to one


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("radius", [0, 1, 3])
def test_box_sums_are_pooling_without_division(dimension, radius, generator) -> None:
    volumes = torch.rand(3, *(11, 7, 9)[:dimension], generator=generator, dtype=torch.float64, requires_grad=True)
    pool = F.avg_pool3d if dimension == 3 else F.avg_pool2d
    width = 2 * radius + 1
    expected = pool(volumes[None], width, 1, radius, count_include_pad=True)[0] * width**dimension
    torch.testing.assert_close(box_sum(volumes, radius), expected)
    weights = torch.rand(expected.shape, generator=generator, dtype=torch.float64)
    (got,) = torch.autograd.grad((box_sum(volumes, radius) * weights).sum(), volumes)
    (wanted,) = torch.autograd.grad((expected * weights).sum(), volumes)
    torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize(("radius", "stride"), [(1, 2), (2, 2), (2, 3), (1, 4), (2, 1)])
def test_boxes_around_some_voxels_are_some_of_the_boxes_and_spreading_is_the_transpose(
    dimension, radius, stride, generator
) -> None:
    volumes = torch.rand(2, *(11, 8, 9)[:dimension], generator=generator, dtype=torch.float64)
    sums = box_sum(volumes, radius, stride)
    some = (slice(None), *(slice(None, None, stride),) * dimension)
    torch.testing.assert_close(sums, box_sum(volumes, radius)[some])
    weights = torch.rand(sums.shape, generator=generator, dtype=torch.float64)
    spread = box_spread(weights, radius, stride, tuple(volumes.shape[1:]))
    torch.testing.assert_close((spread * volumes).sum(), (weights * sums).sum())
