"""Lattices that lie along the control points of a B-spline, even after a linear transform has turned the image."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.typing import Points

from .affine import AffineTransform
from .base import AbstractTransform
from .composite import CompositeTransform
from .inverse import invert_linear


@final
@dataclass(frozen=True, eq=False)
class Straightened:
    """A transform as a linear part, which does not change at a level, and the rest after it: T(x) = rest(linear(x)).

    Where a transform is not a linear one followed by a B-spline, all of it is the rest: only a spline is cheaper to
    evaluate so, and a lattice whose points are the fixed image's voxels reads it without interpolation.

    Attributes
    ----------
    linear, inverse
        The linear part and its inverse, float64 in the transform's world; None = nothing.
    """

    linear: AbstractTransform | None
    inverse: AffineTransform | None

    @staticmethod
    def of(transform: AbstractTransform) -> "Straightened":
        """The parts of a transform."""
        if not isinstance(transform, CompositeTransform) or transform.combination != "Compose":
            return Straightened(None, None)
        if not transform.initial.is_linear or transform.current.is_linear:
            return Straightened(None, None)
        linear = transform.initial.to(torch.float64)
        return Straightened(linear, invert_linear(linear))

    def rest(self, transform: AbstractTransform) -> AbstractTransform:
        """What follows the linear part in a transform of the same kind."""
        if self.linear is None:
            return transform
        assert isinstance(transform, CompositeTransform)
        return transform.current

    def fixed_points(self, points: Points) -> Points:
        """Fixed world points in mm (N, D) of points between both parts, in their dtype on their device."""
        if self.inverse is None:
            return points
        return self.inverse.to(points.dtype, points.device).map_points(points)


def lattice_around(
    straight: Straightened, fixed: Grid, mask: Tensor | None, voxel_size: float, margin: int = 0
) -> Grid | None:
    """The grid, along the fixed image's axes, between both parts of a transform, that covers what counts.

    Parameters
    ----------
    fixed, mask
        The fixed image's grid, and which of its voxels count (bool on it), or None for all.
    voxel_size
        Distance of its voxels in mm, at least; no axis is finer than `fixed`.
    margin
        Voxels of the lattice that are added on all sides.

    Returns
    -------
    Grid or None
        None if no voxel counts.
    """
    ends = _ends_of_lines(torch.ones(fixed.shape, dtype=torch.bool) if mask is None else mask)
    if len(ends) == 0:
        return None
    world = fixed.to_world(ends)
    if straight.linear is not None:
        world = straight.linear.map_points(world)
    axes = torch.tensor(fixed.direction, dtype=torch.float64)
    along = world @ torch.linalg.inv(axes).T
    low, lengths = along.amin(0), (along.amax(0) - along.amin(0)).tolist()
    spacing = [max(voxel_size, s) for s in fixed.spacing]
    size = tuple(int(length / step + 1e-6) + 1 for length, step in zip(lengths, spacing))
    slack = torch.tensor([length - (n - 1) * step for length, n, step in zip(lengths, size, spacing)]).double() / 2
    added = torch.tensor([margin * step for step in spacing], dtype=torch.float64)
    wide = tuple(n + 2 * margin for n in size)
    return Grid(wide, tuple(spacing), tuple((axes @ (low + slack - added)).tolist()), fixed.direction)


def _ends_of_lines(mask: Tensor) -> Points:
    """Indices (N, D), float64, of the first and last voxel that counts on each line along x.

    A linear map takes the outermost of all voxels from among them.
    """
    lines = mask.flatten(0, -2).cpu()
    number = torch.arange(lines.shape[1]).expand_as(lines)
    counts = lines.any(1)
    first = torch.where(lines, number, lines.shape[1]).amin(1)[counts]
    last = torch.where(lines, number, -1).amax(1)[counts]
    others = torch.cartesian_prod(*(torch.arange(n) for n in mask.shape[:-1])).reshape(len(lines), -1)[counts].flip(1)
    return torch.cat([torch.cat([x.unsqueeze(1), others], dim=1) for x in (first, last)]).double()
