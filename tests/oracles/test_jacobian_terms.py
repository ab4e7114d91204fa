"""Jacobian terms against the formulas of Klein et al. (IJCV 2009) written down with full matrices."""

import math

import pytest
import torch

from elastix_impact.geometry.kernels import kernel_taps
from elastix_impact.optimizers import lattice_covariance
from elastix_impact.optimizers.jacobian_terms import (
    JacobianTerms,
    displacement_magnitudes,
    jacobian_terms,
    max_jj,
)
from elastix_impact.transforms.base import DenseJacobian, KroneckerJacobian


def textbook(dense: torch.Tensor) -> JacobianTerms:
    """The terms of full Jacobians (N, D, P): equations 25, 60, 54, 47."""
    count = dense.shape[0]
    covariance = sum(j.T @ j for j in dense) / count
    jj = [j @ j.T for j in dense]
    jcj = [j @ covariance @ j.T for j in dense]
    size = [float(m.trace() + 2 * math.sqrt(2) * m.norm()) for m in jj]
    spread = [float(m.trace() + 2 * math.sqrt(2) * m.norm()) for m in jcj]
    return JacobianTerms(
        trace_c=float(covariance.trace()),
        trace_cc=float((covariance @ covariance).trace()),
        max_jj=max(size),
        max_jcj=max(spread),
    )


def spline_record(dimension: int, nodes_per_axis: int, samples: int, order: int = 3) -> KroneckerJacobian:
    """The record of a B-spline at random points; that of the last point, outside, has no weight."""
    generator = torch.Generator().manual_seed(7)
    reach = nodes_per_axis - order
    index_points = torch.rand(samples, dimension, generator=generator) * reach + (order - 1) / 2
    start, weights, _ = kernel_taps(index_points, order, derivatives=False)
    start = start.clamp(0, nodes_per_axis - order - 1)
    product, indices = torch.ones(samples, 1), torch.zeros(samples, 1, dtype=torch.int64)
    for axis in range(dimension):
        taps = (start[:, axis, None] + torch.arange(order + 1)) * nodes_per_axis**axis
        product = (weights[:, axis, :, None] * product[:, None, :]).flatten(1)
        indices = (taps[:, :, None] + indices[:, None, :]).flatten(1)
    product[-1] = 0
    return KroneckerJacobian(product, indices.int(), nodes_per_axis**dimension, dimension)


def to_dense(record: KroneckerJacobian) -> torch.Tensor:
    samples = record.weights.shape[0]
    dense = torch.zeros(samples, record.dimension, record.dimension * record.nodes, dtype=torch.float64)
    for axis in range(record.dimension):
        columns = axis * record.nodes + record.indices.long()
        dense[torch.arange(samples)[:, None], axis, columns] = record.weights.double()
    return dense


def scales_for(record: KroneckerJacobian) -> torch.Tensor:
    return torch.rand(record.dimension * record.nodes, generator=torch.Generator().manual_seed(2)) * 9 + 1


def assert_same(one: JacobianTerms, other: JacobianTerms) -> None:
    for name in ("trace_c", "trace_cc", "max_jj", "max_jcj"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-5), name


@pytest.mark.parametrize(("dimension", "nodes", "samples"), [(2, 7, 150), (2, 4, 90), (3, 6, 120), (3, 4, 70)])
@pytest.mark.parametrize("scaled", [False, True])
def test_spline_terms_are_those_of_the_textbook(dimension: int, nodes: int, samples: int, scaled: bool) -> None:
    record = spline_record(dimension, nodes, samples)
    scales = scales_for(record) if scaled else None
    dense = to_dense(record) if scales is None else to_dense(record) / scales.double().sqrt()
    assert_same(jacobian_terms(record, scales), textbook(dense))
    assert max_jj(record, scales) == pytest.approx(textbook(dense).max_jj, rel=1e-5)


@pytest.mark.parametrize("order", [1, 2])
def test_lower_orders(order: int) -> None:
    record = spline_record(2, 8, 100, order)
    assert_same(jacobian_terms(record), textbook(to_dense(record)))


def test_slabs_do_not_change_the_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    record = spline_record(3, 9, 400)
    whole = jacobian_terms(record)
    monkeypatch.setattr(lattice_covariance, "_TABLE_SIZE", 1)
    monkeypatch.setattr(lattice_covariance, "_GROUPS", 7)
    assert_same(jacobian_terms(record), whole)


def test_slabs_without_a_sample_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few samples on a large lattice leave whole slabs empty."""
    record = spline_record(3, 30, samples=4)
    whole = jacobian_terms(record)
    monkeypatch.setattr(lattice_covariance, "_TABLE_SIZE", 1)
    assert_same(jacobian_terms(record), whole)


@pytest.mark.parametrize("scaled", [False, True])
def test_dense_terms_are_those_of_the_textbook(scaled: bool) -> None:
    generator = torch.Generator().manual_seed(4)
    dense = torch.randn(60, 3, 12, generator=generator)
    scales = torch.rand(12, generator=generator) + 0.5 if scaled else None
    expected = textbook(dense.double() if scales is None else dense.double() / scales.double().sqrt())
    assert_same(jacobian_terms(DenseJacobian(dense), scales), expected)
    assert max_jj(DenseJacobian(dense), scales) == pytest.approx(expected.max_jj, rel=1e-5)


@pytest.mark.parametrize("scaled", [False, True])
def test_displacements_are_what_a_step_does(scaled: bool) -> None:
    record = spline_record(3, 5, 40)
    scales = scales_for(record) if scaled else None
    gradient = torch.randn(3 * record.nodes, generator=torch.Generator().manual_seed(1))
    step = gradient.double() if scales is None else gradient.double() / scales.double()
    expected = (to_dense(record) @ step).norm(dim=1)
    torch.testing.assert_close(displacement_magnitudes(record, gradient, scales), expected, rtol=1e-5, atol=1e-6)
    as_dense = DenseJacobian(to_dense(record).float())
    torch.testing.assert_close(displacement_magnitudes(as_dense, gradient, scales), expected, rtol=1e-5, atol=1e-6)


def test_an_irregular_record_is_refused() -> None:
    record = spline_record(2, 6, 20)
    indices = record.indices.clone()
    indices[3, 2] += 1
    with pytest.raises(ValueError, match="stencil"):
        jacobian_terms(KroneckerJacobian(record.weights, indices, record.nodes, 2))
