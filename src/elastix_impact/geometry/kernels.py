"""B-spline kernels of orders 0 to 3 in closed form: where the taps begin and what they weigh.

With t in [0, 1) the position between taps, the weights of the order + 1 taps are polynomials in t; they
are evaluated for all points and axes at once by one product with a matrix of coefficients. Unser, IEEE SPM 1999.
"""

import math
from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from elastix_impact.typing import Points

_POWERS_TO_WEIGHTS = {
    0: [[1.0]],
    1: [[1.0, 0.0], [-1.0, 1.0]],
    2: [[0.5, 0.5, 0.0], [-1.0, 1.0, 0.0], [0.5, -1.0, 0.5]],
    3: [
        [1 / 6, 4 / 6, 1 / 6, 0.0],
        [-0.5, 0.0, 0.5, 0.0],
        [0.5, -1.0, 0.5, 0.0],
        [-1 / 6, 0.5, -0.5, 1 / 6],
    ],
}
"""Row p holds the factors of t**p in the weights of taps 0 .. order."""


@cache
def _matrices(order: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """The (order + 1, order + 1) matrices from powers to weights and to their first and second derivatives."""
    with torch.inference_mode(False):
        weights = torch.tensor(_POWERS_TO_WEIGHTS[order], dtype=torch.float64)
        powers = torch.arange(order + 1, dtype=torch.float64).unsqueeze(1)
        slopes, curvatures = torch.zeros_like(weights), torch.zeros_like(weights)
        slopes[:-1] = (weights * powers)[1:]
        curvatures[:-1] = (slopes * powers)[1:]
        return tuple(matrix.to(dtype).to(device) for matrix in (weights, slopes, curvatures))


def kernel_taps(
    index_points: Points, order: int, *, derivatives: bool
) -> tuple[Int[Tensor, "N D"], Float[Tensor, "N D taps"], Float[Tensor, "N D taps"]]:
    """First taps and weights of the kernel at continuous indices.

    Parameters
    ----------
    index_points
        (N, D) continuous indices, voxel or control point units.
    order
        0 (nearest), 1 (linear), 2 or 3.
    derivatives
        Whether to compute the weights' derivatives too; otherwise the third result equals the second.

    Returns
    -------
    start
        (N, D) int64 index of tap 0; tap j is at `start + j`.
    weights, slopes
        (N, D, order + 1) weights, which sum to one, and their derivatives per index unit, which sum to zero.
    """
    start, powers = _start_and_powers(index_points, order)
    to_weights, to_slopes, _ = _matrices(order, index_points.dtype, index_points.device)
    per_axis = torch.stack(powers, dim=1)
    weights = per_axis @ to_weights
    return start, weights, per_axis @ to_slopes if derivatives else weights


def tap_offsets(size: tuple[int, ...], order: int) -> Int[Tensor, " K"]:
    """Places of the (order + 1)**D taps behind the first one in a table of `size` (x fastest), int32.

    The taps are ordered as the columns of `tap_tables`: x runs slowest.
    """
    offsets = torch.zeros(1, dtype=torch.int64)
    for axis in reversed(range(len(size))):
        along = torch.arange(order + 1) * math.prod(size[:axis])
        offsets = (along[:, None] + offsets).flatten()
    return offsets.int()


def tap_tables(
    index_points: Points, order: int, *, derivatives: bool
) -> tuple[Int[Tensor, "N D"], list[Float[Tensor, "N K"]], list[Float[Tensor, "N K"]]]:
    """First taps and, per axis, weights already spread over all K = (order + 1)**D taps of the kernel.

    The weight of a tap is the product of the axes' weights; spread tables make that a product of whole tables.
    A broadcast product with innermost loops of order + 1 numbers was measured 4 to 8 times slower.

    Returns
    -------
    start
        (N, D) int64 index of tap 0 along each axis.
    weights
        Per axis (N, K): that axis' weight of each tap.
    slopes
        Per axis (N, K): its derivative per index unit; the weights again where `derivatives` is false.
    """
    start, powers = _start_and_powers(index_points, order)
    to_weights, to_slopes, _ = _spread_matrices(order, index_points.shape[1], index_points.dtype, index_points.device)
    weights = [axis @ matrix for axis, matrix in zip(powers, to_weights)]
    if not derivatives:
        return start, weights, weights
    return start, weights, [axis @ matrix for axis, matrix in zip(powers, to_slopes)]


def second_derivative_tables(
    index_points: Points, order: int
) -> tuple[Int[Tensor, "N D"], dict[tuple[int, int], Float[Tensor, "N K"]]]:
    """First taps, and the second derivatives of the taps' weights for each pair of axes.

    Returns
    -------
    start
        (N, D) int64 index of tap 0 along each axis.
    tables
        By axes (a, b), a <= b: (N, K) second derivatives along both, per index unit squared; taps as in `tap_tables`.
    """
    start, powers = _start_and_powers(index_points, order)
    dimension = index_points.shape[1]
    matrices = _spread_matrices(order, dimension, index_points.dtype, index_points.device)
    by_degree = [[axis @ matrix for axis, matrix in zip(powers, of_degree)] for of_degree in matrices]
    tables: dict[tuple[int, int], Tensor] = {}
    for a in range(dimension):
        for b in range(a, dimension):
            degrees = [int(axis == a) + int(axis == b) for axis in range(dimension)]
            tables[a, b] = kernel_product([by_degree[degree][axis] for axis, degree in enumerate(degrees)])
    return start, tables


@cache
def _spread_matrices(
    order: int, dimension: int, dtype: torch.dtype, device: torch.device
) -> tuple[tuple[Tensor, ...], ...]:
    """Per axis the (order + 1, K) matrices from powers to spread weights, slopes and second derivatives."""
    taps = order + 1
    with torch.inference_mode(False):
        place = torch.arange(taps**dimension)
        digits = [place // taps ** (dimension - 1 - axis) % taps for axis in range(dimension)]
        return tuple(
            tuple(matrix[:, digit].to(dtype).to(device) for digit in digits)
            for matrix in _matrices(order, torch.float64, torch.device("cpu"))
        )


def _start_and_powers(index_points: Tensor, order: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """First taps (N, D), and per axis the powers 0 .. order (N, order + 1) of the position behind the first tap."""
    shifted = index_points - (order - 1) / 2
    floor = shifted.floor()
    fraction = (shifted - floor).T
    square = fraction * fraction
    powers = torch.stack([torch.ones_like(fraction), fraction, square, square * fraction][: order + 1], dim=-1)
    return floor.long(), powers.unbind(0)


def kernel_product(tables: list[Float[Tensor, "N K"]]) -> Float[Tensor, "N K"]:
    """Weights of the taps: the product of the axes' tables."""
    product = tables[0]
    for table in tables[1:]:
        product = product * table
    return product
