"""Statistics of a transform's Jacobian dT/dmu over the fixed image, from which step sizes are estimated.

With J_n the Jacobian (D, P) at sample n and C = 1/N sum_n J_n^T J_n, Klein et al. (IJCV 2009) need tr C, tr CC
and the maxima over the samples of the mean plus deviations of |J_n a|^2 for random a. They are computed exactly;
elastix keeps the 192 most frequent bands of C aside for speed, which gives the same numbers.

All of this is set-up: done once per level, on the CPU, in float64 or in float32 sums of non-negative numbers.
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.transforms.base import DenseJacobian, Jacobian, KroneckerJacobian
from elastix_impact.typing import Vector, Weights, Weights1

from .lattice_covariance import quadratic_forms

DEVIATIONS = 2 * math.sqrt(2.0)
"""Two standard deviations of a quadratic form of standard normal numbers, per Frobenius norm of its matrix."""


@final
@dataclass(frozen=True)
class JacobianTerms:
    """What the estimation needs to know of the Jacobian; squares of mm per parameter unit.

    Attributes
    ----------
    trace_c
        tr C, equation 25.
    trace_cc
        tr CC, the squared Frobenius norm of C, equation 60.
    max_jj
        max_n |J_n|_F^2 + 2 sqrt 2 |J_n J_n^T|_F, equation 54.
    max_jcj
        max_n tr(J_n C J_n^T) + 2 sqrt 2 |J_n C J_n^T|_F, equation 47.
    """

    trace_c: float
    trace_cc: float
    max_jj: float
    max_jcj: float


def jacobian_terms(jacobian: Jacobian, scales: Vector | None = None) -> JacobianTerms:
    """The four terms of samples spread over the fixed image.

    Parameters
    ----------
    jacobian
        Record of N samples, on any device. The rows of a Kronecker record's `indices` must be translates of
        one stencil, as those of every regular lattice of control points are.
    scales
        (P,) the optimiser's: it works with parameters times their roots, so that J becomes J / sqrt(scales).
    """
    if isinstance(jacobian, DenseJacobian):
        return _dense_terms(_scaled_values(jacobian, scales))
    squares, quadratic = [], []
    axes = _axis_weights(jacobian, scales)
    for number, weights in enumerate(axes):
        if number > 0 and weights is axes[number - 1]:
            squares.append(squares[-1])
            quadratic.append(quadratic[-1])
            continue
        squares.append(weights.double().square().sum(1))
        quadratic.append(quadratic_forms(weights, jacobian.indices.cpu().long()).double())
    return _terms_from_diagonals(torch.stack(squares, dim=1), torch.stack(quadratic, dim=1))


def max_jj(jacobian: Jacobian, scales: Vector | None = None) -> float:
    """The third of the terms alone, see `JacobianTerms`."""
    if isinstance(jacobian, DenseJacobian):
        values = _scaled_values(jacobian, scales)
        return float(_with_deviations(values @ values.mT).max())
    squares = [weights.double().square().sum(1) for weights in _axis_weights(jacobian, scales)]
    return float(_diagonal_with_deviations(torch.stack(squares, dim=1)).max())


def displacement_magnitudes(jacobian: Jacobian, gradient: Vector, scales: Vector | None = None) -> Weights1:
    """|J_n gradient / scales| in mm (N,), float64: how far a step of gain 1 moves each sample.

    `gradient` (P,) is that by the parameters themselves; see `jacobian_terms` for the rest.
    """
    direction = gradient.cpu().double()
    if scales is not None:
        direction = direction / scales.cpu().double()
    if isinstance(jacobian, DenseJacobian):
        return (jacobian.values.cpu().double() @ direction).norm(dim=1)
    per_axis = direction.reshape(jacobian.dimension, jacobian.nodes)
    taps = per_axis[:, jacobian.indices.cpu()]
    return (taps * jacobian.weights.cpu().double()).sum(-1).norm(dim=0)


def _dense_terms(values: Float[Tensor, "N D P"]) -> JacobianTerms:
    flat = values.flatten(0, 1)
    covariance = flat.T @ flat / values.shape[0]
    return JacobianTerms(
        trace_c=float(covariance.trace()),
        trace_cc=float(covariance.square().sum()),
        max_jj=float(_with_deviations(values @ values.mT).max()),
        max_jcj=float(_with_deviations(values @ covariance @ values.mT).max()),
    )


def _terms_from_diagonals(squares: Float[Tensor, "N D"], quadratic: Float[Tensor, "N D"]) -> JacobianTerms:
    """The terms where J_n J_n^T = diag(squares_n) and J_n C J_n^T = diag(quadratic_n).

    tr C = mean_n tr(J_n J_n^T) and tr CC = mean_n tr(J_n C J_n^T) follow from C = mean_n J_n^T J_n.
    """
    return JacobianTerms(
        trace_c=float(squares.sum(1).mean()),
        trace_cc=float(quadratic.sum(1).mean()),
        max_jj=float(_diagonal_with_deviations(squares).max()),
        max_jcj=float(_diagonal_with_deviations(quadratic).max()),
    )


def _with_deviations(matrices: Float[Tensor, "N D D"]) -> Weights1:
    """Trace plus 2 sqrt 2 times the Frobenius norm of each matrix."""
    return matrices.diagonal(dim1=1, dim2=2).sum(1) + DEVIATIONS * matrices.flatten(1).norm(dim=1)


def _diagonal_with_deviations(diagonals: Float[Tensor, "N D"]) -> Weights1:
    return diagonals.sum(1) + DEVIATIONS * diagonals.norm(dim=1)


def _scaled_values(jacobian: DenseJacobian, scales: Vector | None) -> Float[Tensor, "N D P"]:
    values = jacobian.values.cpu().double()
    return values if scales is None else values / scales.cpu().double().sqrt()


def _axis_weights(jacobian: KroneckerJacobian, scales: Vector | None) -> list[Weights]:
    """Weights (N, K) per coordinate, float32, over the roots of the scales; one tensor for all if there are none."""
    weights = jacobian.weights.cpu().float()
    if scales is None:
        return [weights] * jacobian.dimension
    per_axis = scales.cpu().float().sqrt().reshape(jacobian.dimension, jacobian.nodes)
    return [weights / axis[jacobian.indices.cpu()] for axis in per_axis]
