"""What one level takes: its images and metrics are held, features are made, step sizes estimated, the loop runs."""

import math
from dataclasses import dataclass
from typing import final

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.pyramid import resampled_grid
from elastix_impact.parameters.optimizer_plan import AsgdPlan
from elastix_impact.parameters.plan import LevelPlan, PyramidLevelPlan, RegistrationPlan, SplineTransformPlan, TermPlan

from .costs import ModelCosts
from .pair import PairSizes
from .term import Amount, term_amount

TAP_BYTES = 12
"""Of each control point that a spline sums at a sample: its number, int64, and its weight, float32."""

LIST_BYTES = 28
"""Per voxel of a sampling mask while a regular grid of samples is laid into it: numbers, and indices of three axes."""

POINT_SECONDS = {"linear": 0.5e-6, "spline": 3e-6}
"""To map a sample, and back for the gradient."""

VOXEL_SECONDS = 8e-8
"""To smooth a voxel and prepare it for interpolation."""

ESTIMATION_SECONDS = 0.2
"""Beside its gradients."""


@final
@dataclass(frozen=True)
class LevelAmount:
    """Bytes of one level: `held` from its features to its end; the phases' own beside that; seconds of the phases."""

    held: float
    features: float
    estimation: float
    loop: float
    features_seconds: float
    estimation_seconds: float
    loop_seconds: float
    has_models: bool


def level_amount(plan: RegistrationPlan, number: int, pair: PairSizes, costs: ModelCosts) -> LevelAmount:
    """What level `number` of a stage takes."""
    step = plan.levels[number]
    grids = level_grids(step.terms[0], pair)
    voxels = sum(grid.number_of_voxels for grid in grids)
    amounts = [term_amount(term, *level_grids(term, pair), costs) for term in step.terms]
    masked = step.sample_where_both_see or pair.fixed_mask is not None
    listed = grids[0].number_of_voxels if masked else 0
    points, taps = max(amount.points for amount in amounts), _taps(plan)
    per_point = TAP_BYTES * taps + sum(amount.bytes_per_point for amount in amounts)
    spread = _spread_points(step, grids[0])
    loop_seconds = _loop_seconds(step, amounts, points, taps)
    return LevelAmount(
        # float32 images; which voxels are sampled: a flag, and their numbers, int32; what each metric holds
        held=4 * voxels + 5 * listed + sum(amount.held for amount in amounts),
        # smoothing along one axis reads one volume and writes another
        features=max(8 * max(grid.number_of_voxels for grid in grids), *(amount.features for amount in amounts)),
        estimation=max(LIST_BYTES * listed, spread * per_point) if spread else 0.0,
        loop=points * per_point + max(amount.loop for amount in amounts),
        features_seconds=VOXEL_SECONDS * voxels + sum(amount.seconds for amount in amounts),
        estimation_seconds=ESTIMATION_SECONDS + 4 * spread * loop_seconds / max(points, 1) if spread else 0.0,
        loop_seconds=step.optimizer.maximum_number_of_iterations * loop_seconds,
        has_models=bool(step.impact_metrics),
    )


def level_grids(term: TermPlan, pair: PairSizes) -> tuple[Grid, Grid]:
    """Where the voxels of a term's fixed and moving image lie."""
    return _shrunk(pair.fixed.grid, term.fixed_pyramid), _shrunk(pair.moving.grid, term.moving_pyramid)


def _shrunk(grid: Grid, plan: PyramidLevelPlan) -> Grid:
    return grid if plan.kind == "Smoothing" else resampled_grid(grid, plan.shrink_factor)


def _taps(plan: RegistrationPlan) -> int:
    """Control points that a sample's place depends on."""
    transform = plan.transform
    return (transform.order + 1) ** plan.dimension if isinstance(transform, SplineTransformPlan) else 0


def _spread_points(step: LevelPlan, fixed: Grid) -> int:
    """Samples of the exact gradient from which step sizes are estimated; 0 = nothing is estimated."""
    optimizer = step.optimizer
    if not (isinstance(optimizer, AsgdPlan) and optimizer.automatic_parameter_estimation):
        return 0
    return min(optimizer.number_of_samples_for_exact_gradient, fixed.number_of_voxels)


def _loop_seconds(step: LevelPlan, amounts: list[Amount], points: int, taps: int) -> float:
    """Seconds of an iteration."""
    mapping = points * POINT_SECONDS["spline" if taps else "linear"]
    return mapping + math.fsum(amount.iteration_seconds for amount in amounts)
