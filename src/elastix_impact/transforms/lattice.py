"""Where the control points of a B-spline transform lie, and how coefficients pass from level to level."""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.geometry.bspline import apply_along, mirrored, prefilter_matrix
from elastix_impact.geometry.grid import Frame, Grid, Row
from elastix_impact.geometry.kernels import kernel_taps
from elastix_impact.geometry.lattice_points import is_parallel
from elastix_impact.typing import Points, Vector

from .base import AbstractTransform

_CHUNK = 1 << 16
"""Boundary voxels mapped at once."""


def required_lattice(fixed_grid: Grid, spacing_mm: Row, order: int, initial: AbstractTransform | None = None) -> Grid:
    """The lattice of control points that covers the fixed image, centred on it.

    Along each axis there are ceil(extent / spacing) intervals and `order` nodes more than intervals, so that
    the valid region of the spline covers every voxel to its outer face. Axes are the fixed image's.

    Parameters
    ----------
    fixed_grid
        The fixed image at full resolution.
    spacing_mm
        Distance of control points per axis in mm.
    order
        Order of the spline, 1 to 3.
    initial
        The transform with which the B-spline will be *composed* (not added), if any: the lattice then covers
        the bounding box, along the fixed image's axes, of the fixed image mapped by it, and the spacing is
        stretched by as much as the image is.
    """
    if len(spacing_mm) != fixed_grid.dimension or min(spacing_mm) <= 0:
        raise InputError(
            f"the control point spacing {spacing_mm} mm does not fit an image of {fixed_grid.dimension} axes",
            expected=f"{fixed_grid.dimension} positive numbers",
        )
    box = fixed_grid if initial is None else _mapped_box(fixed_grid, initial)
    stretch = [new / old for new, old in zip(box.spacing, fixed_grid.spacing)]
    spacing = tuple(s * factor for s, factor in zip(spacing_mm, stretch))
    size = tuple(math.ceil(n * voxel / s) + order for n, voxel, s in zip(box.size, box.spacing, spacing))
    margin = [
        ((nodes - 1) * s - (n - 1) * voxel) / 2 for nodes, s, n, voxel in zip(size, spacing, box.size, box.spacing)
    ]
    inwards = torch.tensor(box.direction, dtype=torch.float64) @ torch.tensor(margin, dtype=torch.float64)
    origin = tuple(o - m for o, m in zip(box.origin, inwards.tolist()))
    return Grid(size, spacing, origin, box.direction)


def _mapped_box(grid: Grid, initial: AbstractTransform) -> Grid:
    """The grid of as many voxels whose centres fill the bounding box of the mapped voxels of `grid`."""
    direction = torch.tensor(grid.direction, dtype=torch.float64)
    to_axes = torch.linalg.inv(direction)
    lowest = torch.full((grid.dimension,), torch.inf, dtype=torch.float64)
    highest = -lowest
    exact = initial.to(torch.float64)
    for world_points in _boundary_points(grid):
        axis_points = exact.map_points(world_points).detach() @ to_axes.T
        lowest = torch.minimum(lowest, axis_points.amin(0))
        highest = torch.maximum(highest, axis_points.amax(0))
    lengths = (highest - lowest).tolist()
    old_lengths = [(n - 1) * s for n, s in zip(grid.size, grid.spacing)]
    spacing = tuple(s * (new / old) if old > 0 else s for s, new, old in zip(grid.spacing, lengths, old_lengths))
    return Grid(grid.size, spacing, tuple((direction @ lowest).tolist()), grid.direction)


def _boundary_points(grid: Grid) -> Iterator[Points]:
    """World points of the voxels on the faces of `grid`, in float64 pieces."""
    to_world = grid.matrix(Frame.INDEX, Frame.WORLD)[: grid.dimension]
    for axis, count in enumerate(grid.size):
        others = [torch.arange(n, dtype=torch.float64) for d, n in enumerate(grid.size) if d != axis]
        face = torch.cartesian_prod(*others).reshape(-1, grid.dimension - 1)
        for end in {0, count - 1}:
            ends = torch.full((len(face), 1), float(end), dtype=torch.float64)
            index_points = torch.cat([face[:, :axis], ends, face[:, axis:]], dim=1)
            for piece in index_points.split(_CHUNK):
                yield torch.addmm(to_world[:, -1], piece, to_world[:, :-1].T)


def refine_parameters(parameters: Vector, source: Grid, target: Grid, order: int) -> Float[Tensor, " refined"]:
    """Parameters (D * nodes of `target`,) of the deformation that `parameters` describe on `source`.

    The deformation is sampled at the nodes of `target` (coefficients mirrored at the border of `source`, zero
    half a node beyond it) and the samples are turned into coefficients. Where the lattices are nested this is
    the same deformation; elsewhere it is its interpolation at the new nodes.

    Parameters
    ----------
    parameters
        (D * nodes of `source`,) coefficients in mm, dimension-major, x fastest.
    source, target
        Lattices with the same axes.
    order
        Order of the spline, 1 to 3.

    Raises
    ------
    InputError
        If the axes of the lattices differ.
    """
    if source == target:
        return parameters
    dimension = source.dimension
    to_source = source.matrix(Frame.WORLD, Frame.INDEX) @ target.matrix(Frame.INDEX, Frame.WORLD)
    if not is_parallel(target, source):
        raise InputError(
            "control points can't be refined between lattices whose axes differ",
            expected=f"the direction cosines {source.direction}, got {target.direction}",
        )
    coefficients = parameters.reshape(dimension, *source.shape)
    for axis in range(dimension):
        positions = torch.arange(target.size[axis], dtype=torch.float64) * to_source[axis, axis] + to_source[axis, -1]
        sampling = _sampling_matrix(positions, source.size[axis], order)
        matrix = prefilter_matrix(target.size[axis], order) @ sampling
        coefficients = apply_along(matrix, coefficients, dimension - axis)
    return coefficients.reshape(-1)


def _sampling_matrix(positions: Tensor, size: int, order: int) -> Tensor:
    """Weights (positions, size) of the coefficients along one axis at continuous node indices."""
    start, weights, _ = kernel_taps(positions.unsqueeze(1), order, derivatives=False)
    nodes = mirrored(start + torch.arange(order + 1), size)
    inside = (positions >= -0.5) & (positions < size - 0.5)
    matrix = torch.zeros(len(positions), size, dtype=torch.float64)
    return matrix.scatter_add_(1, nodes, weights[:, 0] * inside.unsqueeze(1))
