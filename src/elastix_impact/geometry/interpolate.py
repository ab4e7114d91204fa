"""Values and derivatives of images and feature maps between their voxels.

A `Field` is a map of C channels prepared for interpolation: its voxels are the rows of one table, so that a
point's value is a weighted sum of rows. `torch.nn.functional.embedding_bag` does that without ever
materialising the rows, which is several times faster than gathering them. B-splines: Unser, IEEE SPM 1999.
"""

from dataclasses import dataclass
from typing import Any, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from elastix_impact.typing import Features, FeatureVolume, Flags, Points

from .bspline import apply_along, mirrored, prefilter
from .grid import Frame, Grid, Row, flip_axis_order
from .kernels import kernel_product, kernel_taps, tap_offsets, tap_tables

CHUNK = 1 << 14
"""Points handled at once: keeps the (points, taps) tables inside the processor's caches."""


@final
@dataclass(frozen=True, eq=False)
class Field:
    """A C-channel map on a grid, ready to be interpolated.

    Attributes
    ----------
    table
        (rows, C) values, or B-spline coefficients for orders 2 and 3; x runs fastest. Each axis has `order` further
        voxels at both ends, mirrored for splines and held for orders 0 and 1, so that every tap has its row.
    grid
        Where the voxels lie, in the frame of the points that will be asked for.
    order
        0 nearest, 1 linear, 2 or 3 B-spline.
    world_to_index
        (D, D + 1) matrix on the table's device and dtype.
    tap_offsets
        (K,) rows from the first tap to each of the (order + 1)**D taps, int32.
    """

    table: Tensor
    grid: Grid
    order: int
    world_to_index: Tensor
    tap_offsets: Tensor

    @staticmethod
    def from_volume(volume: FeatureVolume, grid: Grid, order: int) -> "Field":
        """Prepare a map (C, (z, )y, x) on `grid`; orders 2 and 3 are prefiltered with mirror boundaries."""
        padded = prefilter(volume, order, dims=grid.dimension)
        for axis, size in enumerate(grid.size):
            nodes = _inside(torch.arange(-order, size + order), size, order).to(volume.device)
            padded = padded.index_select(grid.dimension - axis, nodes)
        table = padded.flatten(1).T.contiguous()
        offsets = tap_offsets(padded_size(grid, order), order).to(volume.device)
        return Field(table, grid, order, _world_to_index(grid, table), offsets)

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return self.table.shape[1]

    def index_points(self, world_points: Points) -> Points:
        """Continuous indices (N, D) of world points."""
        dimension = self.grid.dimension
        return torch.addmm(self.world_to_index[:, dimension], world_points, self.world_to_index[:, :dimension].T)

    def values(self, world_points: Points) -> Features:
        """Values (N, C) at world points (N, D), differentiable with respect to the points."""
        if not world_points.requires_grad:
            return self._per_chunk(world_points, derivatives=False)[0]
        return _FieldValues.apply(world_points, self)

    def _per_chunk(self, world_points: Tensor, *, derivatives: bool) -> tuple[Tensor, Tensor]:
        chunks = [self._evaluate(chunk, derivatives=derivatives) for chunk in world_points.split(CHUNK)]
        if len(chunks) == 1:
            return chunks[0]
        values, slopes = zip(*chunks)
        return torch.cat(values), torch.cat(slopes, dim=1)

    def _evaluate(self, world_points: Tensor, *, derivatives: bool) -> tuple[Tensor, Tensor]:
        """Values (n, C) and, if asked, index-space derivatives (D, n, C) of one chunk."""
        index_points = self.index_points(world_points)
        start, weights, slopes = tap_tables(index_points, self.order, derivatives=derivatives)
        rows = self._first_row(start) + self.tap_offsets
        values = self._weighted_rows(rows, kernel_product(weights))
        if not derivatives:
            return values, values.new_empty(self.grid.dimension, 0, self.channels)
        per_axis = [
            self._weighted_rows(rows, kernel_product([*weights[:d], slopes[d], *weights[d + 1 :]]))
            for d in range(self.grid.dimension)
        ]
        return values, torch.stack(per_axis)

    def _first_row(self, start: Tensor) -> Tensor:
        """Row (n, 1), int32, of the first tap for kernels that begin at voxels `start` (n, D)."""
        row = torch.zeros((), dtype=torch.int32, device=start.device)
        stride = 1
        for axis, size in enumerate(padded_size(self.grid, self.order)):
            row = row + (start[:, axis] + self.order).clamp(0, size - 1 - self.order).int() * stride
            stride *= size
        return row.unsqueeze(1)

    def _weighted_rows(self, rows: Tensor, weights: Tensor) -> Tensor:
        if self.table.device.type == "mps":
            return torch.einsum("nk,nkc->nc", weights, self.table[rows])
        return F.embedding_bag(rows, self.table, per_sample_weights=weights, mode="sum")


def padded_size(grid: Grid, order: int) -> tuple[int, ...]:
    """Voxels per axis x, y(, z) of a field's table."""
    return tuple(size + 2 * order for size in grid.size)


def _world_to_index(grid: Grid, table: Tensor) -> Tensor:
    return grid.matrix(Frame.WORLD, Frame.INDEX)[: grid.dimension].to(table)


def _inside(index: Tensor, size: int, order: int) -> Tensor:
    """Indices brought back into [0, size): mirrored at the end voxels for splines, else clamped."""
    return index.clamp(0, size - 1) if order < 2 else mirrored(index, size)


class _FieldValues(torch.autograd.Function):
    """Field values whose backward reuses spatial derivatives taken on the way.

    Autograd's own way (embedding_bag's gradient by its weights) was measured 4 to 10 times slower for
    64 taps; the test compares both.
    """

    @staticmethod
    def forward(ctx: Any, world_points: Tensor, field: Field) -> Tensor:
        values, slopes = field._per_chunk(world_points, derivatives=True)
        ctx.save_for_backward(slopes, field.world_to_index)
        return values

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        slopes, world_to_index = ctx.saved_tensors
        index_gradient = (slopes * gradients[0]).sum(-1).T
        return index_gradient @ world_to_index[:, :-1], None


def is_inside(index_points: Points, grid: Grid) -> Flags:
    """Whether continuous indices (N, D) lie in the image: in [-0.5, size - 0.5) along every axis."""
    size = torch.tensor(grid.size, dtype=index_points.dtype, device=index_points.device)
    return ((index_points >= -0.5) & (index_points < size - 0.5)).all(1)


def resize(
    volume: Float[Tensor, "*spatial"], size: tuple[int, ...], step: Row, order: int
) -> Float[Tensor, "*resized"]:
    """`volume` ((z, )y, x) at indices i * step, i < size, along each axis; `size`, `step` ordered x, y(, z).

    Separable: one small matrix per axis. Beyond the last voxel values are held (orders 0, 1) or mirrored.
    """
    dimension = volume.ndim
    result = prefilter(volume.unsqueeze(0), order, dims=dimension)[0] if order > 1 else volume
    for axis, (count, distance) in enumerate(zip(size, step)):
        matrix = _axis_matrix(volume.shape[dimension - 1 - axis], count, distance, order)
        result = apply_along(matrix, result, dimension - 1 - axis)
    return result


def _axis_matrix(source: int, target: int, step: float, order: int) -> Tensor:
    positions = torch.arange(target, dtype=torch.float64).mul(step).unsqueeze(1)
    start, weights, _ = kernel_taps(positions, order, derivatives=False)
    index = _inside(start + torch.arange(order + 1), source, order)
    return torch.zeros(target, source, dtype=torch.float64).scatter_add_(1, index, weights[:, 0])


def grid_chunks(grid: Grid, device: torch.device | str) -> list[Points]:
    """World points of all voxels of `grid` in float32 pieces of at most a few hundred thousand."""
    dimension = grid.dimension
    rows = max(1, (1 << 18) // max(1, grid.size[0] * (grid.size[1] if dimension == 3 else 1)))
    matrix = grid.matrix(Frame.INDEX, Frame.WORLD).to(torch.float32).to(device)
    planes = torch.arange(grid.shape[0], device=device, dtype=torch.float32).split(rows)
    others = [torch.arange(n, device=device, dtype=torch.float32) for n in grid.shape[1:]]
    pieces = []
    for plane in planes:
        zyx = torch.stack(torch.meshgrid(plane, *others, indexing="ij"), dim=-1).reshape(-1, dimension)
        pieces.append(
            torch.addmm(matrix[:dimension, dimension], flip_axis_order(zyx), matrix[:dimension, :dimension].T)
        )
    return pieces
