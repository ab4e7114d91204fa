"""Values and derivatives of images and feature maps between their voxels.

A field is a map prepared for interpolation: its voxels are the rows of one table, so that a point's value is a
weighted sum of rows. `torch.nn.functional.embedding_bag` does that without ever materialising the rows, which is
several times faster than gathering them. B-splines: Unser, IEEE SPM 1999.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor

from elastix_impact.typing import Features, FeatureVolume, Points, Volume

from .bspline import prefilter
from .grid import Frame, Grid
from .interpolate import held_or_mirrored
from .kernels import kernel_product, kernel_taps, tap_offsets, tap_tables
from .patches import Patches, PatchValues, block_rows, block_tables, contract_blocks

CHUNK = 1 << 14
"""Points handled at once: keeps the (points, taps) tables inside the processor's caches."""


@dataclass(frozen=True, eq=False)
class AbstractField(ABC):
    """A map of C channels on a grid, ready to be interpolated.

    Attributes
    ----------
    table
        Values, or B-spline coefficients for orders 2 and 3, a row per voxel; x runs fastest. Each axis has `order`
        further voxels at both ends, mirrored for splines and held for orders 0 and 1, so that every tap has its row.
    grid
        Where the voxels lie, in the frame of the points that will be asked for.
    order
        0 nearest, 1 linear, 2 or 3 B-spline.
    world_to_index
        (D, D + 1) matrix on the table's device and dtype.
    tap_offsets
        Rows from the first tap to the taps that are summed, int32.
    """

    table: Tensor
    grid: Grid
    order: int
    world_to_index: Tensor
    tap_offsets: Tensor

    @abstractmethod
    def evaluate(self, world_points: Tensor, *, derivatives: bool) -> tuple[Tensor, Tensor]:
        """Values (n, C) and, if asked, index-space derivatives (D, n, C) of some points; no autograd history."""

    @final
    def index_points(self, world_points: Points) -> Points:
        """Continuous indices (N, D) of world points."""
        return torch.addmm(self.world_to_index[:, -1], world_points, self.world_to_index[:, :-1].T)

    @final
    def values(self, world_points: Points) -> Features:
        """Values (N, C) at world points (N, D), differentiable with respect to the points."""
        if not world_points.requires_grad:
            return self.per_chunk(world_points, derivatives=False)[0]
        return _FieldValues.apply(world_points, self)

    @final
    def per_chunk(self, world_points: Tensor, *, derivatives: bool) -> tuple[Tensor, Tensor]:
        """What `evaluate` gives, `CHUNK` points at a time."""
        chunks = [self.evaluate(chunk, derivatives=derivatives) for chunk in world_points.split(CHUNK)]
        if len(chunks) == 1:
            return chunks[0]
        values, slopes = zip(*chunks)
        return torch.cat(values), torch.cat(slopes, dim=1)

    @final
    def rows(self, start: Tensor) -> Tensor:
        """Rows (n, K), int32, that are summed for kernels that begin at voxels `start` (n, D)."""
        row = torch.zeros((), dtype=torch.int32, device=start.device)
        stride = 1
        for axis, size in enumerate(_padded_size(self.grid, self.order)):
            row = row + (start[:, axis] + self.order).clamp(0, size - 1 - self.order).int() * stride
            stride *= size
        return row.unsqueeze(1) + self.tap_offsets

    @final
    def weighted_rows(self, rows: Tensor, weights: Tensor) -> Tensor:
        """Sums of the table's rows (n, K) with weights (n, K)."""
        if self.table.device.type == "mps":
            return torch.einsum("nk,nkc->nc", weights, self.table[rows])
        return F.embedding_bag(rows, self.table, per_sample_weights=weights, mode="sum")


@final
@dataclass(frozen=True, eq=False)
class Field(AbstractField):
    """A feature map: one row of C channels per voxel."""

    @staticmethod
    def from_volume(volume: FeatureVolume, grid: Grid, order: int) -> "Field":
        """Prepare a map (C, (z, )y, x) on `grid`; orders 2 and 3 are prefiltered with mirror boundaries."""
        table = _padded(volume, grid, order).flatten(1).T.contiguous()
        offsets = tap_offsets(_padded_size(grid, order), order).to(volume.device)
        return Field(table, grid, order, _world_to_index(grid, table), offsets)

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return self.table.shape[1]

    def evaluate(self, world_points: Tensor, *, derivatives: bool) -> tuple[Tensor, Tensor]:
        """Values (n, C) and, if asked, index-space derivatives (D, n, C): one weighted sum for each."""
        start, weights, slopes = tap_tables(self.index_points(world_points), self.order, derivatives=derivatives)
        rows = self.rows(start)
        values = self.weighted_rows(rows, kernel_product(weights))
        if not derivatives:
            return values, values.new_empty(self.grid.dimension, 0, self.channels)
        per_axis = [
            self.weighted_rows(rows, kernel_product([*weights[:d], slopes[d], *weights[d + 1 :]]))
            for d in range(self.grid.dimension)
        ]
        return values, torch.stack(per_axis)


@final
@dataclass(frozen=True, eq=False)
class ScalarField(AbstractField):
    """An image: a row holds the `order` + 1 voxels of a kernel along x, which lie side by side in memory.

    The sum runs over the taps along the other axes and leaves a line along x, from which value and x derivative
    follow. For one channel that takes a fifth of the time of a row per voxel, and order + 1 times the memory.
    Where single voxels are enough they are read from `voxels` (V,), all rows' first numbers side by side; for order 1
    that is all there is.
    """

    voxels: Tensor

    @staticmethod
    def from_volume(volume: Volume, grid: Grid, order: int) -> "ScalarField":
        """Prepare an image ((z, )y, x) on `grid`; orders 2 and 3 are prefiltered with mirror boundaries."""
        voxels = _padded(volume.unsqueeze(0), grid, order).flatten()
        lines = voxels.unsqueeze(1) if order == 1 else F.pad(voxels, [0, order]).unfold(0, order + 1, 1)
        table = lines.contiguous()
        offsets = tap_offsets(_padded_size(grid, order), order)[: (order + 1) ** (grid.dimension - 1)]
        return ScalarField(table, grid, order, _world_to_index(grid, table), offsets.to(volume.device), voxels)

    def patch_values(self, patches: Patches) -> PatchValues:
        """Values (N, K, 1) at the points of patches, without gradient."""
        if not patches.separable_on(self.grid, self.order):
            points = patches.points
            return self.per_chunk(points.flatten(0, 1), derivatives=False)[0].view(*points.shape[:2], 1)
        nodes, matrices = block_tables(patches, self.grid, self.order, last_start=None)
        inside = [held_or_mirrored(n, size, self.order) for n, size in zip(nodes, self.grid.size)]
        rows = block_rows([n + self.order for n in inside], _padded_size(self.grid, self.order))
        blocks = self.voxels.index_select(0, rows.flatten()).view(*rows.shape, 1)
        return contract_blocks(blocks, matrices)

    def evaluate(self, world_points: Tensor, *, derivatives: bool) -> tuple[Tensor, Tensor]:
        """Values (n, 1) and, if asked, index-space derivatives (D, n, 1): one weighted sum per axis."""
        if self.order == 1:
            return self._linear(world_points, derivatives=derivatives)
        index_points = self.index_points(world_points)
        start_x, along_x, slopes_x = kernel_taps(index_points[:, :1], self.order, derivatives=derivatives)
        start, weights, slopes = tap_tables(index_points[:, 1:], self.order, derivatives=derivatives)
        rows, x = self.rows(torch.cat([start_x, start], dim=1)), along_x[:, 0]
        lines = self.weighted_rows(rows, kernel_product(weights))
        values = (lines * x).sum(1, keepdim=True)
        if not derivatives:
            return values, values.new_empty(self.grid.dimension, 0, 1)
        sloped = [
            self.weighted_rows(rows, kernel_product([*weights[:d], slopes[d], *weights[d + 1 :]]))
            for d in range(len(weights))
        ]
        per_axis = [lines * slopes_x[:, 0], *(line * x for line in sloped)]
        return values, torch.stack(per_axis).sum(2, keepdim=True)

    def _linear(self, world_points: Tensor, *, derivatives: bool) -> tuple[Tensor, Tensor]:
        """`evaluate` for order 1, a row of all points per corner: differences along x, y(, z) give the slopes too.

        Measured four times faster than the weighted sums.
        """
        matrix, dimension = self.world_to_index, self.grid.dimension
        index_points = torch.addmm(matrix[:, -1:], matrix[:, :-1], world_points.T)
        floor = index_points.floor()
        fraction = index_points - floor
        row, stride = torch.zeros_like(floor[0], dtype=torch.int32), 1
        for start, size in zip(floor.int(), _padded_size(self.grid, 1)):
            row, stride = row + (start + 1).clamp(0, size - 2) * stride, stride * size
        corners = torch.stack([self.tap_offsets, self.tap_offsets + 1]).flatten().unsqueeze(1) + row
        values = self.voxels.index_select(0, corners.flatten()).view(*(2,) * dimension, -1)
        slopes: list[Tensor] = []
        for t in fraction:
            step = values[1] - values[0]
            slopes = [torch.addcmul(slope[0], t, slope[1] - slope[0]) for slope in slopes] + [step]
            values = torch.addcmul(values[0], t, step)
        if not derivatives:
            return values.unsqueeze(1), values.new_empty(dimension, 0, 1)
        return values.unsqueeze(1), torch.stack(slopes).unsqueeze(2)


def _padded(volume: FeatureVolume, grid: Grid, order: int) -> Tensor:
    """Coefficients (C, (z, )y, x) with `order` more voxels at both ends of each axis."""
    padded = prefilter(volume, order, dims=grid.dimension)
    for axis, size in enumerate(grid.size):
        nodes = held_or_mirrored(torch.arange(-order, size + order), size, order).to(volume.device)
        padded = padded.index_select(grid.dimension - axis, nodes)
    return padded


def _padded_size(grid: Grid, order: int) -> tuple[int, ...]:
    return tuple(size + 2 * order for size in grid.size)


def _world_to_index(grid: Grid, table: Tensor) -> Tensor:
    return grid.matrix(Frame.WORLD, Frame.INDEX)[: grid.dimension].to(table)


class _FieldValues(torch.autograd.Function):
    """Field values whose backward reuses spatial derivatives taken on the way.

    Autograd's own way (embedding_bag's gradient by its weights) was measured 4 to 10 times slower for
    64 taps; the test compares both.
    """

    @staticmethod
    def forward(ctx: Any, world_points: Tensor, field: AbstractField) -> Tensor:
        values, slopes = field.per_chunk(world_points, derivatives=True)
        ctx.save_for_backward(slopes, field.world_to_index)
        return values

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        slopes, world_to_index = ctx.saved_tensors
        index_gradient = (slopes * gradients[0]).sum(-1).T
        return index_gradient @ world_to_index[:, :-1], None
