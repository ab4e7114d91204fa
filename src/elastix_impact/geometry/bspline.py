"""B-spline lattices: their values at points, and the prefilter that makes coefficients of samples.

A lattice of control points carries D coefficients per node; the displacement at a point is a weighted sum of
(order + 1)**D of them. Outside its valid region a lattice displaces nothing: there the weights are zero.
Unser, "Splines: a perfect fit for signal and image processing", IEEE SPM 1999; Rueckert et al., IEEE TMI 1999.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.typing import Indices, Points, Weights

from .grid import Frame, Grid
from .kernels import kernel_product, tap_offsets, tap_tables

_MAIN_AND_SIDE_TAP = {2: (6 / 8, 1 / 8), 3: (4 / 6, 1 / 6)}
"""Weights of the B-spline of orders 2 and 3 at the nodes 0 and +-1."""


@final
@dataclass(frozen=True, eq=False)
class ControlLattice:
    """A lattice of control points, made ready for evaluation on one device in one dtype.

    Attributes
    ----------
    nodes
        Number of control points.
    order
        Order of the spline, 1 to 3.
    world_to_index
        (D, D + 1) matrix from world points in mm to continuous node indices.
    last_start
        (D,) largest index that the first tap of a point in the valid region can have.
    strides
        (D,) distance in the node table of neighbours along each axis; x runs fastest.
    tap_offsets
        (K,) distance in the node table from the first tap to each of the (order + 1)**D taps, int32: adding
        them up for all points is several times faster than in int64.
    """

    nodes: int
    order: int
    world_to_index: Float[Tensor, "D D1"]
    last_start: Int[Tensor, " D"]
    strides: Int[Tensor, " D"]
    tap_offsets: Int[Tensor, " K"]

    @property
    def dimension(self) -> int:
        """Number of spatial axes."""
        return self.world_to_index.shape[0]


@lru_cache(maxsize=32)
def control_lattice(grid: Grid, order: int, dtype: torch.dtype, device: torch.device) -> ControlLattice:
    """The lattice whose control points are the voxels of `grid`, border nodes included.

    Parameters
    ----------
    grid
        Where the control points lie.
    order
        1, 2 or 3.
    dtype, device
        Of the points that it will be asked for.

    Raises
    ------
    InputError
        If the order is none of these, or an axis has fewer than order + 1 control points.
    """
    if order not in (1, 2, 3):
        raise InputError(f"a B-spline transform of order {order} does not exist", expected="order 1, 2 or 3")
    if min(grid.size) <= order:
        raise InputError(
            f"a lattice of {grid.size} control points is too small for B-splines of order {order}",
            expected=f"at least {order + 1} control points along every axis",
        )
    strides = torch.tensor(grid.size).cumprod(0).roll(1)
    strides[0] = 1
    with torch.inference_mode(False):
        return ControlLattice(
            nodes=grid.number_of_voxels,
            order=order,
            world_to_index=grid.matrix(Frame.WORLD, Frame.INDEX)[: grid.dimension].to(dtype).to(device),
            last_start=(torch.tensor(grid.size) - order - 1).to(device),
            strides=strides.to(device),
            tap_offsets=tap_offsets(grid.size, order).to(device),
        )


def lattice_weights(lattice: ControlLattice, world_points: Points) -> tuple[Weights, Indices]:
    """Weights and nodes on which each point depends, both (N, K) with K = (order + 1)**D.

    Differentiable with respect to the points. The weights of a point sum to one inside the lattice's valid
    region, [(order - 1) / 2, size - 1 - (order - 1) / 2) in node indices, and are all zero outside. Nodes are
    int32.
    """
    start, weights, _ = tap_tables(lattice_index_points(lattice, world_points), lattice.order, derivatives=False)
    indices, inside = lattice_support(lattice, start)
    return kernel_product(weights) * inside, indices


def lattice_derivative_weights(lattice: ControlLattice, world_points: Points) -> tuple[Float[Tensor, "N D K"], Indices]:
    """Derivatives of the weights by the world coordinates, (N, D, K) per mm, and the nodes (N, K)."""
    start, weights, slopes = tap_tables(lattice_index_points(lattice, world_points), lattice.order, derivatives=True)
    indices, inside = lattice_support(lattice, start)
    per_axis = [kernel_product([*weights[:d], slopes[d], *weights[d + 1 :]]) * inside for d in range(lattice.dimension)]
    index_slopes = torch.stack(per_axis, dim=1)
    return torch.einsum("nek,ed->ndk", index_slopes, lattice.world_to_index[:, :-1]), indices


def lattice_index_points(lattice: ControlLattice, world_points: Points) -> Points:
    """Continuous node indices (N, D) of world points."""
    return torch.addmm(lattice.world_to_index[:, -1], world_points, lattice.world_to_index[:, :-1].T)


def lattice_support(lattice: ControlLattice, start: Int[Tensor, "N D"]) -> tuple[Indices, Bool[Tensor, "N 1"]]:
    """Nodes (N, K) under the kernels that begin at `start` (N, D), and whether all are there (N, 1)."""
    clamped = torch.minimum(start.clamp(min=0), lattice.last_start)
    inside = (clamped == start).all(dim=1, keepdim=True)
    first = (clamped * lattice.strides).sum(dim=1, keepdim=True)
    return first.int() + lattice.tap_offsets, inside


def weighted_sum(coefficients: Float[Tensor, "D nodes"], weights: Weights, indices: Indices) -> Float[Tensor, "N D"]:
    """Sums of `coefficients` at nodes `indices` times `weights`: result[n, d] = sum_k w[n, k] c[d, i[n, k]].

    Differentiable once with respect to coefficients and weights. Under `torch.use_deterministic_algorithms`
    the gradient is bitwise reproducible on a GPU too.
    """
    return _WeightedSum.apply(coefficients, weights, indices)


class _WeightedSum(torch.autograd.Function):
    """`embedding_bag` forward, `index_add_` backward.

    Measured for 2000 points and 64 taps on two threads: forward 0.1 ms (gather and multiply 0.6 ms), backward
    0.2 ms (autograd's own for embedding_bag 3 ms). Copying into the transposed table row by row is three times
    faster than `.T.contiguous()`; `index_add_` with int32 indices is 25 times slower than with int64. The
    tests compare both directions with autograd.
    """

    @staticmethod
    def forward(ctx: Any, coefficients: Tensor, weights: Tensor, indices: Tensor) -> Tensor:
        ctx.save_for_backward(coefficients, weights, indices)
        if coefficients.device.type == "mps":
            return torch.einsum("nk,dnk->nd", weights, coefficients[:, indices.long()])
        table = coefficients.new_empty(coefficients.shape[::-1])
        table.T.copy_(coefficients)
        return F.embedding_bag(indices, table, per_sample_weights=weights, mode="sum")

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        coefficients, weights, indices = ctx.saved_tensors
        by_coefficients = by_weights = None
        if ctx.needs_input_grad[0]:
            shares = (gradient.T.contiguous().unsqueeze(2) * weights).flatten(1)
            by_coefficients = torch.zeros_like(coefficients).index_add_(1, indices.long().flatten(), shares)
        if ctx.needs_input_grad[1]:
            by_weights = torch.einsum("nd,dnk->nk", gradient, coefficients[:, indices.long()])
        return by_coefficients, by_weights, None


def prefilter(volume: Float[Tensor, "..."], order: int, dims: int) -> Float[Tensor, "..."]:
    """B-spline coefficients of samples, so that the spline passes through them.

    Boundaries are mirrored about the first and the last sample. Exact, not truncated: each axis is one
    product with the inverse of its collocation matrix, made in float64.

    Parameters
    ----------
    volume
        Samples, the last `dims` axes spatial.
    order
        0 to 3; 0 and 1 interpolate already and come back unchanged.
    dims
        Number of spatial axes.
    """
    if order < 2:
        return volume
    for axis in range(volume.ndim - dims, volume.ndim):
        volume = apply_along(prefilter_matrix(volume.shape[axis], order), volume, axis)
    return volume


@cache
def prefilter_matrix(size: int, order: int) -> Float[Tensor, "size size"]:
    """The (size, size) float64 matrix that turns samples along an axis into coefficients of `order`."""
    if order < 2 or size == 1:
        return torch.eye(size, dtype=torch.float64)
    main, side = _MAIN_AND_SIDE_TAP[order]
    nodes = torch.arange(size).unsqueeze(1)
    neighbours = mirrored(torch.cat([nodes - 1, nodes, nodes + 1], dim=1), size)
    taps = torch.tensor([side, main, side], dtype=torch.float64).expand(size, 3)
    return torch.linalg.inv(torch.zeros(size, size, dtype=torch.float64).scatter_add_(1, neighbours, taps))


def mirrored(index: Int[Tensor, "..."], size: int) -> Int[Tensor, "..."]:
    """Indices brought into [0, size) by mirroring about the first and the last node."""
    if size == 1:
        return torch.zeros_like(index)
    period = 2 * (size - 1)
    folded = index.remainder(period)
    return torch.minimum(folded, period - folded)


def apply_along(matrix: Float[Tensor, "out in"], values: Float[Tensor, "..."], axis: int) -> Float[Tensor, "..."]:
    """`values` with one axis of length `in` replaced by its product with `matrix`, of length `out`."""
    shape = values.shape
    lines = values.reshape(shape[:axis].numel(), shape[axis], shape[axis + 1 :].numel())
    product = torch.matmul(matrix.to(device=values.device, dtype=values.dtype), lines)
    return product.reshape(*shape[:axis], matrix.shape[0], *shape[axis + 1 :])


def apply_per_axis(matrices: Sequence[Tensor], values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Volumes (C, (z, )y, x) with each axis replaced by its product with a matrix (out, in), in order x, y(, z)."""
    # one product along x, of which `apply_along` would make one a line
    values = values @ matrices[0].T
    for axis, matrix in enumerate(matrices[1:], start=1):
        values = apply_along(matrix, values, len(matrices) - axis)
    return values
