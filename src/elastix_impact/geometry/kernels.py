"""B-spline kernels of orders 0 to 3 in closed form: where the taps begin and what they weigh.

With t in [0, 1) the position between taps, the weights of the order + 1 taps are polynomials in t; they
are evaluated for all points and axes at once by one product with a matrix of coefficients. Unser, IEEE SPM 1999.
"""

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
def _matrices(order: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    with torch.inference_mode(False):
        weights = torch.tensor(_POWERS_TO_WEIGHTS[order], dtype=torch.float64)
        powers = torch.arange(order + 1, dtype=torch.float64).unsqueeze(1)
        slopes = torch.zeros_like(weights)
        slopes[:-1] = (weights * powers)[1:]
        return weights.to(dtype).to(device), slopes.to(dtype).to(device)


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
    shift = (order - 1) / 2
    shifted = index_points - shift
    floor = shifted.floor()
    fraction = shifted - floor
    to_weights, to_slopes = _matrices(order, index_points.dtype, index_points.device)
    powers = torch.stack([torch.ones_like(fraction), fraction, fraction.square(), fraction**3][: order + 1], dim=-1)
    weights = powers @ to_weights
    slopes = powers @ to_slopes if derivatives else weights
    return floor.long(), weights, slopes
