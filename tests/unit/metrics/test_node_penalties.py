"""Penalties at control points against the transform's own derivatives there."""

import pytest
import torch

from elastix_impact.errors import InputError
from elastix_impact.metrics.base import AbstractMetric
from elastix_impact.metrics.folding import FoldingPenalty
from elastix_impact.metrics.lattice_bending import LatticeBendingEnergy
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform
from transform_samples import turned_spline

NO_POINTS = torch.zeros(0, 3, dtype=torch.float64)


def inner_nodes(transform: BSplineTransform) -> torch.Tensor:
    """World points of all control points but the outermost, a little towards the middle: inside the valid region."""
    index_points = transform.grid.index_points()
    last = torch.tensor(transform.grid.size) - 1
    inner = ((index_points > 0) & (index_points < last)).all(1)
    return transform.grid.to_world(torch.lerp(index_points[inner], last.double() / 2, 1e-8))


def middles_of_cells(transform: BSplineTransform) -> torch.Tensor:
    """World points halfway between control points, of the cells for which the spline has all its control points."""
    index_points = transform.grid.index_points() + 0.5
    inner = ((index_points > 1) & (index_points < torch.tensor(transform.grid.size) - 2)).all(1)
    return transform.grid.to_world(index_points[inner])


def affine(dimension: int) -> AffineTransform:
    matrix = torch.eye(dimension, dtype=torch.float64) * 1.1
    return AffineTransform(torch.cat([matrix.flatten(), torch.ones(dimension).double()]), (0.0,) * dimension)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("order", [2, 3])
def test_bending_energy_is_that_of_the_second_derivatives(dimension, order, generator) -> None:
    transform = turned_spline(dimension, order, 6.0, generator)
    if order == 2:  # its second derivative jumps at the nodes: the taps give the mean of both sides along an axis
        transform = BSplineTransform(torch.zeros_like(transform.parameters), transform.grid, order)
        x = transform.grid.index_points()[:, 0] * transform.grid.spacing[0]
        rows = transform.coefficients.clone()
        rows[0] = x * x / 50
        transform = transform.with_parameters(rows.flatten())
    expected = transform.spatial_hessian(inner_nodes(transform)).square().flatten(1).sum(1).mean()
    measured = LatticeBendingEnergy(transform).evaluate(transform, NO_POINTS)
    torch.testing.assert_close(measured.value, expected, rtol=1e-6, atol=0)
    whole = CompositeTransform(affine(dimension), transform)
    assert torch.equal(LatticeBendingEnergy(whole).evaluate(whole, NO_POINTS).value, measured.value)


@pytest.mark.parametrize("dimension", [2, 3])
def test_folding_is_that_of_the_determinants(dimension, generator) -> None:
    transform = turned_spline(dimension, 3, 20.0, generator)
    expected = torch.zeros((), dtype=torch.float64)
    for places in (inner_nodes(transform), middles_of_cells(transform)):
        determinants = torch.linalg.det(transform.spatial_jacobian(places))
        assert 0 < int((determinants < 0.4).sum()) < len(determinants)
        expected += (1 - determinants / 0.4).clamp_min(0).square().mean()
    measured = FoldingPenalty(transform, 0.4).evaluate(transform, NO_POINTS)
    torch.testing.assert_close(measured.value, expected, rtol=1e-5, atol=0)


def test_a_fold_between_control_points_is_seen(generator) -> None:
    """At control points 1 + du/dx is 1 there, in the middle of the cell it is negative."""
    grid = turned_spline(2, 3, 0.0, generator).grid
    rows = torch.zeros(2, *grid.shape, dtype=torch.float64)
    rows[0, :, 3::2] = 3 * grid.spacing[0]  # back and forth from one to the next: no slope at the control points
    transform = BSplineTransform(rows.flatten(), grid, 3)
    assert bool((torch.linalg.det(transform.spatial_jacobian(middles_of_cells(transform))) < 0.3).any())
    assert float(FoldingPenalty(transform, 0.3).evaluate(transform, NO_POINTS).value) > 0


@pytest.mark.parametrize("make", [LatticeBendingEnergy, lambda start: FoldingPenalty(start, 0.3)])
def test_gradients_are_finite_differences(make, generator) -> None:
    transform = turned_spline(3, 3, 9.0, generator)
    metric: AbstractMetric = make(transform)
    leaf = transform.parameters.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(metric.evaluate(transform.with_parameters(leaf), NO_POINTS).value, leaf)
    step = (torch.rand(leaf.shape, generator=generator, dtype=torch.float64) - 0.5) * 1e-5
    ahead, behind = (
        metric.evaluate(transform.with_parameters(transform.parameters + s), NO_POINTS).value for s in (step, -step)
    )
    assert float(ahead - behind) == pytest.approx(2 * float(gradient.dot(step)), rel=1e-5)


def test_a_deformation_that_does_not_shrink_costs_nothing(generator) -> None:
    transform = turned_spline(3, 3, 0.5, generator)
    assert float(FoldingPenalty(transform, 0.3).evaluate(transform, NO_POINTS).value) == 0.0


@pytest.mark.parametrize("make", [LatticeBendingEnergy, lambda start: FoldingPenalty(start, 0.3)])
def test_a_transform_without_control_points_is_refused(make) -> None:
    with pytest.raises(InputError, match="the transform has none"):
        make(affine(3))
