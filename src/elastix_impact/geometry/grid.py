"""Where voxels lie: one frozen `Grid` owns size, spacing, origin and direction, and every conversion.

Three frames are named, see `Frame`. Matrices act on column vectors ordered (x, y, z, 1), float64.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.typing import Homogeneous, Points

Row = tuple[float, ...]


class Frame(Enum):
    """The coordinate frames of a grid."""

    INDEX = "continuous voxel index; voxel centres at 0, 1, ..., size - 1"
    WORLD = "millimetres in ITK's LPS patient frame"
    UNIT = "-1 at the first, +1 at the last voxel centre of each axis (grid_sample, align_corners=True)"


@final
@dataclass(frozen=True)
class Grid:
    """A regular lattice of voxels in physical space.

    Parameters
    ----------
    size
        Voxels per axis, ordered x, y(, z).
    spacing
        Distance of neighbouring voxel centres in mm, positive.
    origin
        World position of voxel 0 in mm (LPS).
    direction
        Rows of the direction cosine matrix; column k is the unit vector of axis k in world space.

    Examples
    --------
    >>> grid = Grid.axis_aligned(size=(4, 3), spacing=(2.0, 1.0), origin=(10.0, 20.0))
    >>> grid.matrix(Frame.INDEX, Frame.WORLD).tolist()
    [[2.0, 0.0, 10.0], [0.0, 1.0, 20.0], [0.0, 0.0, 1.0]]
    """

    size: tuple[int, ...]
    spacing: Row
    origin: Row
    direction: tuple[Row, ...]

    def __post_init__(self) -> None:
        dimension = len(self.size)
        if not (len(self.spacing) == len(self.origin) == len(self.direction) == dimension):
            raise InputError(f"a grid of dimension {dimension} needs {dimension} spacings, origins and directions")
        if min(self.size) < 1:
            raise InputError(f"a grid needs at least one voxel per axis, got size {self.size}")
        if not all(math.isfinite(s) and s > 0 for s in self.spacing):
            raise InputError(f"spacing must be positive and finite, got {self.spacing}")
        if not all(math.isfinite(o) for o in self.origin):
            raise InputError(f"the origin must be finite, got {self.origin}")
        if not abs(float(torch.linalg.det(self._direction_tensor()))) >= 1e-6:
            raise InputError(f"the direction matrix {self.direction} is singular")

    @staticmethod
    def axis_aligned(size: tuple[int, ...], spacing: Row, origin: Row | None = None) -> "Grid":
        """The grid of these voxels whose axes are the world's."""
        dimension = len(size)
        identity = tuple(tuple(float(i == j) for j in range(dimension)) for i in range(dimension))
        return Grid(size, spacing, origin or (0.0,) * dimension, identity)

    @property
    def dimension(self) -> int:
        """Number of spatial axes, 2 or 3."""
        return len(self.size)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a tensor on this grid: the size reversed, (z, )y, x."""
        return self.size[::-1]

    @property
    def number_of_voxels(self) -> int:
        """Voxels in all."""
        return math.prod(self.size)

    @property
    def strides(self) -> tuple[int, ...]:
        """Voxels from one to the next along x, y(, z) in a flat volume."""
        return tuple(math.prod(self.size[:axis]) for axis in range(self.dimension))

    @property
    def extent(self) -> Row:
        """Size times spacing per axis in mm: from the outer face of the first voxel to that of the last."""
        return tuple(n * s for n, s in zip(self.size, self.spacing))

    @cached_property
    def centre(self) -> Row:
        """World position in mm of the middle of the grid."""
        middle = torch.tensor([[(n - 1) / 2 for n in self.size]], dtype=torch.float64)
        return tuple(self.to_world(middle)[0].tolist())

    def _direction_tensor(self) -> Tensor:
        return torch.tensor(self.direction, dtype=torch.float64)

    def matrix(self, source: Frame, target: Frame) -> Homogeneous:
        """The (D + 1, D + 1) float64 matrix that takes `source` coordinates to `target` coordinates."""
        return torch.linalg.inv(self._to_world_matrix(target)) @ self._to_world_matrix(source)

    def _to_world_matrix(self, source: Frame) -> Tensor:
        dimension = self.dimension
        matrix = torch.eye(dimension + 1, dtype=torch.float64)
        if source is Frame.WORLD:
            return matrix
        matrix[:dimension, :dimension] = self._direction_tensor() * torch.tensor(self.spacing, dtype=torch.float64)
        matrix[:dimension, dimension] = torch.tensor(self.origin, dtype=torch.float64)
        if source is Frame.INDEX:
            return matrix
        half = torch.tensor([max(n - 1, 1) / 2 for n in self.size], dtype=torch.float64)
        middle = torch.tensor([(n - 1) / 2 for n in self.size], dtype=torch.float64)
        unit_to_index = torch.eye(dimension + 1, dtype=torch.float64)
        unit_to_index[:dimension, :dimension] = torch.diag(half)
        unit_to_index[:dimension, dimension] = middle
        return matrix @ unit_to_index

    def to_world(self, index_points: Points) -> Points:
        """World points in mm of continuous indices, both (N, D); dtype and device of the input."""
        return apply_matrix(self.matrix(Frame.INDEX, Frame.WORLD), index_points)

    def to_index(self, world_points: Points) -> Points:
        """Continuous indices of world points in mm, both (N, D); dtype and device of the input."""
        return apply_matrix(self.matrix(Frame.WORLD, Frame.INDEX), world_points)

    def world_points(self, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu") -> Points:
        """World points in mm of all voxel centres, (number_of_voxels, D), x running fastest."""
        return self.to_world(self.index_points(dtype, device))

    def index_points(self, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu") -> Points:
        """Indices of all voxels, (number_of_voxels, D) ordered x, y(, z), x running fastest."""
        axes = [torch.arange(n, dtype=dtype, device=device) for n in self.shape]
        zyx = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, self.dimension)
        return flip_axis_order(zyx)

    def voxel_points(self, places: Tensor) -> Points:
        """World points in mm, float64 (N, D), of the voxels at `places` (N,) in a flat volume, x running fastest."""
        # Not torch.unravel_index: it loads PyTorch's symbolic shapes, half a second of every command.
        rests = places.unsqueeze(1) // torch.tensor(self.strides, device=places.device)
        return self.to_world((rests % torch.tensor(self.size, device=places.device)).double())

    def shifted(self, offset: Row) -> "Grid":
        """The same grid moved by `offset` in mm."""
        return replace(self, origin=tuple(o + d for o, d in zip(self.origin, offset)))

    def padded(self, voxels: Sequence[int]) -> "Grid":
        """The grid with so many further voxels, or fewer by a negative number, at both ends of its axes x, y(, z)."""
        first = self.to_world(-torch.tensor([list(voxels)], dtype=torch.float64))[0]
        size = tuple(n + 2 * added for n, added in zip(self.size, voxels))
        return replace(self, size=size, origin=tuple(first.tolist()))

    def without_direction(self) -> "Grid":
        """The same grid with identity directions (elastix's ``UseDirectionCosines "false"``)."""
        return Grid.axis_aligned(self.size, self.spacing, self.origin)

    def same_as(self, other: "Grid", tolerance: float = 1e-3) -> bool:
        """Whether both grids have the same size and no voxel centre differs by more than `tolerance` voxels."""
        if self.size != other.size:
            return False
        last = torch.tensor([[float(n - 1) for n in self.size]], dtype=torch.float64)
        corners = torch.cat([torch.zeros_like(last), last, torch.eye(self.dimension, dtype=torch.float64) * last])
        return bool((self.to_index(other.to_world(corners)) - corners).abs().max() < tolerance)


def apply_matrix(matrix: Tensor, points: Points) -> Points:
    """`points` (N, D) through a homogeneous `matrix` (D + 1, D + 1), in the points' dtype and device."""
    dimension = points.shape[-1]
    matrix = matrix.to(points)
    return torch.addmm(matrix[:dimension, dimension], points, matrix[:dimension, :dimension].T)


def flip_axis_order(values: Tensor) -> Tensor:
    """(x, y, z) to (z, y, x) along the last axis, or back: the one place where the order changes."""
    return values.flip(-1)
