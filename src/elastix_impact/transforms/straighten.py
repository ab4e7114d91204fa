"""Lattices that lie along the control points of a B-spline, even after a linear transform has turned the image."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.masks import index_box
from elastix_impact.typing import Points

from .affine import AffineTransform
from .base import AbstractTransform
from .composite import CompositeTransform
from .inverse import invert_linear


@final
@dataclass(frozen=True, eq=False)
class Straightened:
    """A transform as a linear part, which does not change at a level, and the rest after it: T(x) = rest(linear(x)).

    Where a transform is not a linear one followed by the one that is optimised, all of it is the rest.

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
        if not transform.initial.is_linear:
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


def lattice_around(straight: Straightened, fixed: Grid, mask: Tensor | None, voxel_size: float) -> Grid | None:
    """The grid, along the fixed image's axes, between both parts of a transform, that covers what counts.

    Parameters
    ----------
    fixed, mask
        The fixed image's grid, and which of its voxels count (bool on it), or None for all.
    voxel_size
        Distance of its voxels in mm, at least; no axis is finer than `fixed`.

    Returns
    -------
    Grid or None
        None if no voxel counts.
    """
    corners = _corners(fixed, mask)
    if corners is None:
        return None
    world = fixed.to_world(corners)
    if straight.linear is not None:
        world = straight.linear.map_points(world)
    axes = torch.tensor(fixed.direction, dtype=torch.float64)
    along = world @ torch.linalg.inv(axes).T
    low, lengths = along.amin(0), (along.amax(0) - along.amin(0)).tolist()
    spacing = [max(voxel_size, s) for s in fixed.spacing]
    size = tuple(int(length / step + 1e-6) + 1 for length, step in zip(lengths, spacing))
    slack = torch.tensor([length - (n - 1) * step for length, n, step in zip(lengths, size, spacing)])
    return Grid(size, tuple(spacing), tuple((axes @ (low + slack.double() / 2)).tolist()), fixed.direction)


def _corners(grid: Grid, mask: Tensor | None) -> Tensor | None:
    """Continuous indices (2**D, D) of the corners of the box of voxels that count; None if none does."""
    bounds = [(0.0, n - 1.0) for n in grid.size]
    if mask is not None:
        box = index_box(mask)
        if box is None:
            return None
        bounds = [(float(first), float(last)) for first, last in zip(*box)][::-1]
    return torch.cartesian_prod(*(torch.tensor(pair, dtype=torch.float64) for pair in bounds))
