"""Patches: equal lattices of points around many centres, and splines read on them axis by axis.

A spline whose nodes lie along the patches' axes is separable: the nodes under a patch form a block, and one small
matrix per axis takes the block to the patch's points. For 5^3 points and 4^3 taps that was measured 5 to 10 times
faster than a weighted sum for every point.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from elastix_impact.typing import Points

from .grid import Frame, Grid, Row
from .kernels import kernel_taps

PatchPoints = Float[Tensor, "N K D"]
PatchValues = Float[Tensor, "N K channels"]
Nodes = list[Int[Tensor, "N _"]]
Matrices = list[Float[Tensor, "N _ _"]]

_SAME_AXES = 1e-6
"""Largest difference of direction cosines that counts as none."""


@final
@dataclass(frozen=True, eq=False)
class Patches:
    """Patches of K points around N centres, in mm.

    Attributes
    ----------
    centres
        (N, D) world points.
    offsets
        From a centre to the points of its patch, x fastest: (K, D) for all, or (N, K, D).
    lattice
        The grid that `offsets` form around the world's origin, or None where patches are turned.
    """

    centres: Points
    offsets: Float[Tensor, "*N K D"]
    lattice: Grid | None

    @property
    def points(self) -> PatchPoints:
        """All world points."""
        return self.centres.unsqueeze(1) + self.offsets

    def split(self, size: int) -> "list[Patches]":
        """The patches in pieces of at most `size`."""
        centres = self.centres.split(size)
        turned = self.offsets.dim() == 3
        offsets = self.offsets.split(size) if turned else [self.offsets] * len(centres)
        return [Patches(c, o, self.lattice) for c, o in zip(centres, offsets)]

    def separable_on(self, grid: Grid, order: int) -> bool:
        """Whether a spline of `order` with nodes on `grid` can be read axis by axis, and that is less work."""
        if self.lattice is None or not _same_axes(self.lattice, grid):
            return False
        nodes = math.prod(block_widths(self.lattice, grid.spacing, order))
        return nodes < self.lattice.number_of_voxels * (order + 1) ** grid.dimension


def _same_axes(a: Grid, b: Grid) -> bool:
    return all(abs(x - y) < _SAME_AXES for p, q in zip(a.direction, b.direction) for x, y in zip(p, q))


def block_widths(patch: Grid, spacing: Row, order: int) -> tuple[int, ...]:
    """Nodes, `spacing` apart, that the kernels of a patch's points touch along x, y(, z), wherever it lies."""
    spans = ((count - 1) * step / s for count, step, s in zip(patch.size, patch.spacing, spacing))
    return tuple(order + 1 + math.ceil(span - 1e-6) for span in spans)


@final
@dataclass(frozen=True, eq=False)
class _BlockPlan:
    """What `block_tables` needs of two grids, on one device: made once."""

    centre_to_first: Float[Tensor, "D D1"]
    """From a patch's centre to its first point's continuous index, column by column."""
    along: list[Tensor]
    """Per axis the points' distances from the first one, in nodes."""
    widths: list[Tensor]
    """Per axis 0 .. width - 1."""
    taps: Tensor
    """0 .. order."""


@lru_cache(maxsize=32)
def _block_plan(patch: Grid, grid: Grid, order: int, dtype: torch.dtype, device: torch.device) -> _BlockPlan:
    dimension = grid.dimension
    matrix = grid.matrix(Frame.WORLD, Frame.INDEX)[:dimension]
    corner = torch.tensor([*patch.origin, 1.0], dtype=torch.float64)
    with torch.inference_mode(False):
        to_first = torch.cat([matrix[:, :-1], (matrix @ corner).unsqueeze(1)], dim=1)
        steps = [p / s for p, s in zip(patch.spacing, grid.spacing)]
        along = [torch.arange(count, dtype=torch.float64) * step for count, step in zip(patch.size, steps)]
        return _BlockPlan(
            to_first.to(dtype).to(device),
            [points.to(dtype).to(device) for points in along],
            [torch.arange(width, device=device) for width in block_widths(patch, grid.spacing, order)],
            torch.arange(order + 1, device=device),
        )


def block_tables(
    patches: Patches, grid: Grid, order: int, *, last_start: tuple[int, ...] | None
) -> tuple[Nodes, Matrices]:
    """Per axis x, y(, z) the nodes of each patch's block and the matrices from nodes to the patch's points.

    Parameters
    ----------
    patches
        Separable on `grid`.
    last_start
        Largest first tap that a point may have along each axis; the weights of others, and of those with a
        first tap below 0, are zero. None = no limit.

    Returns
    -------
    nodes
        (N, width) indices, which may lie outside the grid.
    matrices
        (N, points along the axis, width).
    """
    assert patches.lattice is not None
    plan = _block_plan(patches.lattice, grid, order, patches.centres.dtype, patches.centres.device)
    first = torch.addmm(plan.centre_to_first[:, -1], patches.centres, plan.centre_to_first[:, :-1].T)
    nodes: Nodes = []
    matrices: Matrices = []
    for axis, (along, width) in enumerate(zip(plan.along, plan.widths)):
        start, taps = _taps(first[:, axis, None] + along, order)
        if last_start is not None:
            taps = taps * ((start >= 0) & (start <= last_start[axis])).unsqueeze(2)
        places = (start - start[:, :1]).clamp(max=len(width) - order - 1).unsqueeze(2) + plan.taps
        matrices.append(taps.new_zeros(*start.shape, len(width)).scatter_(2, places, taps))
        nodes.append(start[:, :1] + width)
    return nodes, matrices


def _taps(positions: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """First taps (N, n) and weights (N, n, order + 1) at positions (N, n) along one axis."""
    start, weights, _ = kernel_taps(positions.reshape(-1, 1), order, derivatives=False)
    return start.view_as(positions), weights.view(*positions.shape, order + 1)


def block_rows(nodes: Nodes, size: tuple[int, ...]) -> Int[Tensor, "N block"]:
    """Places (N, all nodes of the block) in a table of `size`; x runs fastest in the table and in the block."""
    rows, stride = nodes[0], 1
    for axis in range(1, len(size)):
        stride *= size[axis - 1]
        rows = ((nodes[axis] * stride).unsqueeze(2) + rows.unsqueeze(1)).flatten(1)
    return rows


def contract_blocks(blocks: Float[Tensor, "N block channels"], matrices: Matrices) -> PatchValues:
    """Values at the patches' points, differentiable with respect to the blocks: one product per axis, z first."""
    samples, _, channels = blocks.shape
    values = blocks.view(samples, *(matrix.shape[2] for matrix in reversed(matrices)), channels)
    for matrix in reversed(matrices):
        # The leading axis is contracted and becomes the last one: after all of them the order is the old one.
        others = values.shape[2:]
        product = torch.bmm(matrix, values.reshape(samples, matrix.shape[2], -1))
        values = product.view(samples, matrix.shape[1], *others).movedim(1, -2)
    return values.reshape(samples, -1, channels)
