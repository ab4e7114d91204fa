"""The way back: fixed points of moving ones. Exact for what is linear, iterated for what is not.

A composite is undone part by part. What is left, T(x) = y for a B-spline or a sum of transforms, is solved by a few
fixed-point steps, x <- x + (y - T(x)), which need no derivatives, then by damped Newton steps. All of it in float64
on the CPU. Chen et al., "A simple fixed-point approach to invert a deformation field", Medical Physics 35, 2008.
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Grid
from elastix_impact.typing import Flags, Points, Weights1

from .affine import AffineTransform
from .base import AbstractTransform
from .composite import CompositeTransform

TOLERANCE_MM = 1e-6
"""A point whose residual is larger counts as not inverted."""

_GOAL_MM = 1e-8
_FIXED_POINT_STEPS = 6
_NEWTON_STEPS = 40
_PATH_STEPS = 16
_CHUNK = 1 << 18
"""Points solved at once: bounds the memory of their Jacobians."""


@final
@dataclass(frozen=True, eq=False)
class Inversion:
    """What came out of inverting a transform at some points.

    Attributes
    ----------
    world_points
        (N, D) in mm, float64: T(world_points) is what was asked for, as far as `residual` says.
    residual
        (N,) distance in mm between T(world_points) and what was asked for.
    determinant
        (N,) smallest Jacobian determinant there of the parts that are not linear, infinite without such parts.
    """

    world_points: Points
    residual: Weights1
    determinant: Weights1

    @property
    def failed(self) -> Flags:
        """Where there is no usable inverse: the residual is above `TOLERANCE_MM`, or the transform folds."""
        return ~((self.residual <= TOLERANCE_MM) & (self.determinant > 0))


def invert_points(transform: AbstractTransform, world_points: Points, domain: Grid | None = None) -> Inversion:
    """The points that `transform` takes to `world_points`, both in mm (N, D).

    Parameters
    ----------
    domain
        Where points must have come from to count, between its outermost voxel centres: those that can't be inverted
        and seem to come from beyond stay `failed` instead of being refused. A B-spline jumps at the border of its
        lattice, so that some moving points at the rim of the fixed image come from nowhere.

    Raises
    ------
    InputError
        If the transform folds or does not converge at a point, with the numbers; or if its matrix is singular.
    """
    result = solve_inverse(transform, world_points)
    refused = result.failed
    if domain is not None:
        refused &= _is_between_centres(result.world_points, domain)
    if bool(refused.any()):
        raise _refusal(result, refused)
    return result


def solve_inverse(transform: AbstractTransform, world_points: Points) -> Inversion:
    """The same as `invert_points`, where points without an inverse are left to the caller: see `Inversion.failed`.

    Raises
    ------
    InputError
        If the points are of another dimension, or the matrix of the transform is singular.
    """
    if world_points.shape[1] != transform.dimension:
        raise InputError(
            f"points of {world_points.shape[1]} coordinates for a transform of {transform.dimension} dimensions",
            remedy="Give the points of the images that were registered",
        )
    transform, asked = transform.to(torch.float64).without_gradients(), world_points.detach().double().cpu()
    with torch.no_grad():
        pieces = [_invert(transform, chunk) for chunk in asked.split(_CHUNK)]
    return Inversion(*(torch.cat([getattr(p, name) for p in pieces]) for name in Inversion.__dataclass_fields__))


def invert_linear(transform: AbstractTransform) -> AffineTransform:
    """The inverse of a linear transform (`is_linear`), exactly, float64.

    Raises
    ------
    InputError
        If its matrix is singular.
    """
    dimension = transform.dimension
    origin = torch.zeros(1, dimension, dtype=torch.float64)
    transform = transform.to(torch.float64)
    with torch.no_grad():
        matrix, offset = transform.spatial_jacobian(origin)[0], transform.map_points(origin)[0]
    if not bool(torch.linalg.cond(matrix) < 1 / torch.finfo(torch.float64).eps):
        raise InputError(
            f"the transform can't be inverted: its matrix is singular (determinant {float(torch.det(matrix)):.3g})",
            remedy="Use a transform that does not flatten the image",
        )
    inverse = torch.linalg.inv(matrix)
    return AffineTransform(torch.cat([inverse.flatten(), -(inverse @ offset)]), (0.0,) * dimension)


def _invert(transform: AbstractTransform, asked: Points) -> Inversion:
    points, determinant = _solve(transform, asked)
    residual = torch.linalg.vector_norm(transform.map_points(points) - asked, dim=1)
    return Inversion(points, residual, determinant)


def _solve(transform: AbstractTransform, asked: Points) -> tuple[Points, Weights1]:
    """Points and smallest determinant of the non-linear parts, by parts where that is exact."""
    if transform.is_linear:
        return invert_linear(transform).map_points(asked), asked.new_full((len(asked),), math.inf)
    if isinstance(transform, CompositeTransform) and transform.combination == "Compose":
        between, of_current = _solve(transform.current, asked)
        points, of_initial = _solve(transform.initial, between)
        return points, torch.minimum(of_current, of_initial)
    points = _iterate(transform, asked)
    return points, torch.linalg.det(transform.spatial_jacobian(points))


def _iterate(transform: AbstractTransform, asked: Points) -> Points:
    """Fixed-point steps, then Newton steps; what is left is tried again along a path from where T moves nothing."""
    linear = _linear_part(transform)
    start = asked if linear is None else linear.map_points(asked)
    slope = torch.eye(asked.shape[1], dtype=asked.dtype) if linear is None else linear.spatial_jacobian(asked[:1])[0]
    points = _descend(transform, asked, start, slope)
    left = _distance(transform, points, asked) > _GOAL_MM
    if bool(left.any()):
        better = _follow_path(transform, asked[left], start[left])
        closer = _distance(transform, better, asked[left]) < _distance(transform, points[left], asked[left])
        points[left] = torch.where(closer.unsqueeze(1), better, points[left])
    return points


def _linear_part(transform: AbstractTransform) -> AffineTransform | None:
    """The inverse of the linear part of a sum, or None: where the solution is near."""
    if isinstance(transform, CompositeTransform) and transform.initial.is_linear:
        return invert_linear(transform.initial)
    return None


def _descend(transform: AbstractTransform, asked: Points, start: Points, slope: Tensor) -> Points:
    """Steps from `start` towards T(x) = asked; a step that does not come closer is halved, never taken.

    `slope` (D, D) stands for the inverse Jacobian in the fixed-point steps.
    """
    points, damping = start.clone(), asked.new_ones(len(asked), 1)
    error = asked - transform.map_points(points)
    for number in range(_FIXED_POINT_STEPS + _NEWTON_STEPS):
        active = (torch.linalg.vector_norm(error, dim=1) > _GOAL_MM).nonzero().squeeze(1)
        if len(active) == 0:
            break
        here, wanted = points[active], error[active]
        step = wanted @ slope.T if number < _FIXED_POINT_STEPS else _newton(transform, here, wanted)
        there = here + damping[active] * step
        remaining = asked[active] - transform.map_points(there)
        closer = remaining.square().sum(1, keepdim=True) < wanted.square().sum(1, keepdim=True)
        points[active] = torch.where(closer, there, here)
        error[active] = torch.where(closer, remaining, wanted)
        damping[active] = torch.where(closer, (2 * damping[active]).clamp(max=1.0), damping[active] / 2)
    return points


def _newton(transform: AbstractTransform, points: Points, error: Tensor) -> Tensor:
    """Newton's step (N, D); zero where the Jacobian is singular."""
    step, faults = torch.linalg.solve_ex(transform.spatial_jacobian(points), error.unsqueeze(2))
    return torch.where(faults.unsqueeze(1) == 0, step.squeeze(2), 0.0).nan_to_num(0.0, 0.0, 0.0)


def _follow_path(transform: AbstractTransform, asked: Points, start: Points) -> Points:
    """Points along x(s) with x + s (T(x) - x) = (1 - s) start + s asked, from s = 0, where x is `start`, to s = 1.

    Small steps keep to the branch that begins there, so that the jump at a lattice's border is not stepped over.
    """
    points, identity = start, torch.eye(asked.shape[1], dtype=asked.dtype)
    for share in torch.linspace(0, 1, _PATH_STEPS + 1, dtype=asked.dtype)[1:]:
        goal = start + share * (asked - start)
        for _ in range(3):
            error = goal - points - share * (transform.map_points(points) - points)
            jacobian = identity + share * (transform.spatial_jacobian(points) - identity)
            step, faults = torch.linalg.solve_ex(jacobian, error.unsqueeze(2))
            points = points + torch.where(faults.unsqueeze(1) == 0, step.squeeze(2), 0.0).nan_to_num(0.0, 0.0, 0.0)
    return _descend(transform, asked, points, identity)


def _distance(transform: AbstractTransform, points: Points, asked: Points) -> Weights1:
    return torch.linalg.vector_norm(transform.map_points(points) - asked, dim=1)


def _is_between_centres(world_points: Points, grid: Grid) -> Flags:
    index_points = grid.to_index(world_points)
    return ((index_points > 0) & (index_points < torch.tensor(grid.size, dtype=torch.float64) - 1)).all(dim=1)


def _refusal(result: Inversion, refused: Flags) -> InputError:
    folded = int((result.determinant[refused] <= 0).sum())
    worst = float(result.residual[refused].max())
    smallest = float(result.determinant[refused].min())
    why = f"the transform folds at {folded} of them" if folded else "the iteration does not converge there"
    return InputError(
        f"{int(refused.sum())} of {len(refused)} points have no inverse: {why}; worst residual {worst:.3g} mm, "
        f"smallest Jacobian determinant {smallest:.3g}",
        where="inverse",
        expected=f"residuals of at most {TOLERANCE_MM:g} mm and positive Jacobian determinants",
        remedy="See where the Jacobian is not positive, and register with wider control points or a bending penalty",
    )
