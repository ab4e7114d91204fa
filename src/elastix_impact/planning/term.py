"""What one metric of one level takes."""

import math
from dataclasses import dataclass
from typing import assert_never, final

from elastix_impact.geometry.grid import Grid
from elastix_impact.metrics.impact.features import voxel_grid
from elastix_impact.metrics.impact.jacobian import CPU_KEPT_VOXELS, CPU_PIECE_VOXELS
from elastix_impact.parameters.metric_plan import (
    CorrelationPlan,
    HistogramPlan,
    ImpactPlan,
    LocalCorrelationPlan,
    MeanSquaresPlan,
    ModelPlan,
    PenaltyPlan,
)
from elastix_impact.parameters.plan import TermPlan
from elastix_impact.zoo.cost import ModelCost
from elastix_impact.zoo.tiles import SMALLEST_TILE

from .costs import ModelCosts

FLOAT = 4

LATTICE_BYTES = 32
"""Per point of a lattice that is held: two places of three numbers, a weight, the fixed image's value, float32."""

LATTICE_MAKING_BYTES = 48
"""Per point while it is made: indices and world points, float64."""

CORRELATION_BYTES = {1: 150, 2: 100}
"""Per point of a lattice in an iteration of local correlation, by stride (2 and more): six volumes and their sums along
the first axis, mapped points, values and slopes in pieces and joined."""

KEPT_PASSES = 4
"""Passes' worth of memory that a network keeps for its gradient, in units of that of a pass without."""

RECOMPUTED_BYTES = 120
"""Per voxel of a patch that is computed again for the gradient: the allocator's holes between what is kept of the
pieces. Measured 114 and 125 for 25,000 patches of 15 and 9 voxels a side."""

TERM_SECONDS, SAMPLE_SECONDS, CHANNEL_SECONDS, CORRELATION_SECONDS = 2.5e-3, 1.5e-6, 0.15e-6, 0.33e-6
"""Of an iteration: each metric; each sample of an image; each channel of a feature there; each point of a lattice."""


@final
@dataclass(frozen=True)
class Amount:
    """Bytes and seconds of one metric of one level.

    Attributes
    ----------
    held
        To the end of the level.
    features, seconds
        Beside that while the metric is made, and how long that takes.
    points, bytes_per_point
        How many samples an evaluation has, and what each takes; a lattice's are in `loop`.
    loop
        Of an evaluation, whatever the samples.
    """

    held: float = 0.0
    features: float = 0.0
    seconds: float = 0.0
    points: int = 0
    bytes_per_point: float = 0.0
    loop: float = 0.0
    iteration_seconds: float = TERM_SECONDS


def term_amount(term: TermPlan, fixed: Grid, moving: Grid, costs: ModelCosts) -> Amount:
    """What a metric takes whose images lie on these grids."""
    plan, samples = term.metric, term.sampler.number_of_samples
    if term.sampler.kind == "Full":
        samples = fixed.number_of_voxels
    images = FLOAT * (fixed.number_of_voxels + moving.number_of_voxels * _copies(term.interpolation_order))
    match plan:
        case ImpactPlan() if plan.mode == "Jacobian":
            return _jacobian(plan, images + FLOAT * 4 * fixed.number_of_voxels, samples, costs)
        case ImpactPlan():
            return _static(plan, fixed, moving, samples, costs)
        case LocalCorrelationPlan():
            return _local_correlation(plan, images, fixed, moving)
        case MeanSquaresPlan() | CorrelationPlan() | HistogramPlan():
            per_point = FLOAT * channel_numbers(fixed.dimension)
            seconds = TERM_SECONDS + samples * SAMPLE_SECONDS
            return Amount(images, 0.5 * images, 0.0, samples, per_point, 0.0, seconds)
        case PenaltyPlan():
            return Amount()
        case _:
            assert_never(plan)


def channel_numbers(dimension: int) -> int:
    """Numbers per channel at a sample in an evaluation.

    The value and its slopes, in pieces and joined; their product with the gradient; and what the distance and its
    gradient are made of: both values as they are and as drawn, difference, square, weight, and three gradients.
    """
    return 2 * (1 + dimension) + dimension + 10


def _copies(order: int) -> int:
    """Numbers per voxel of an image that is interpolated; see `ScalarField`."""
    return 1 if order <= 1 else order + 2


def _static(plan: ImpactPlan, fixed: Grid, moving: Grid, samples: int, costs: ModelCosts) -> Amount:
    """Feature maps of both images are made by passes of the models, and held as tables."""
    sides = [(model, fixed) for model in plan.fixed_models] + [(model, moving) for model in plan.moving_models]
    maps, tables, passes, seconds, channels = 0.0, 0.0, 0.0, 0.0, 0
    for model, grid in sides:
        cost = costs.of(model, mixed_precision=plan.mixed_precision)
        if cost is None:
            continue
        seen = voxel_grid(grid, model.voxel_size)
        made = FLOAT * sum(cost.numbers_per_voxel) * seen.number_of_voxels
        maps, tables = maps + made, tables + made / _block(plan, seen)
        # Of the model, and the image at its voxel size, before and after; then a map with its rim and its table.
        passes = max(passes, _pass_bytes(cost, model, seen, costs) + 3 * FLOAT * seen.number_of_voxels, 2 * made)
        seconds += 2 * cost.seconds_per_voxel * seen.number_of_voxels
        channels = max(channels, sum(cost.channels))
    per_point = FLOAT * channels * channel_numbers(fixed.dimension)
    points = lattice_points(fixed, plan.lattice_spacing, 0) if plan.lattice_spacing else 0
    spent = (points or samples) * channels * CHANNEL_SECONDS * (1 if points else 2)
    held = tables + points * (LATTICE_BYTES + FLOAT * channels)
    making = max(maps + passes - tables, LATTICE_MAKING_BYTES * points)
    return Amount(
        held, making, seconds, 0 if points else samples, 0.0 if points else per_point, points * per_point,
        TERM_SECONDS + spent,
    )  # fmt: skip


def _block(plan: ImpactPlan, grid: Grid) -> float:
    """Voxels of a feature map that are averaged into one for a lattice."""
    return math.prod(max(1, int(plan.lattice_spacing / step + 0.5)) for step in grid.spacing)


def _pass_bytes(cost: ModelCost, model: ModelPlan, seen: Grid, costs: ModelCosts) -> float:
    """Of one pass: the whole image, a tile, or a slice; what does not fit is taken in tiles, which then do."""
    shape = seen.size[: model.dimension]
    whole = cost.bytes_per_voxel * math.prod(tile or size for tile, size in zip(model.patch_size, shape))
    if whole <= costs.room:
        return whole
    costs.notes[f"memory is short: images go through {model.path} in tiles"] = None
    return min(whole, cost.bytes_per_voxel * (2 * SMALLEST_TILE) ** model.dimension)


def _jacobian(plan: ImpactPlan, images: float, samples: int, costs: ModelCosts) -> Amount:
    """Patches of all samples go through the models in pieces at every iteration; see `JacobianImpact`."""
    loop = seconds = per_point = 0.0
    for model in plan.moving_models:
        cost = costs.of(model, mixed_precision=plan.mixed_precision)
        if cost is None:
            continue
        patch = math.prod(model.patch_size[: model.dimension])
        patches, per_point = samples * patch, max(per_point, RECOMPUTED_BYTES * patch)
        kept = patches if patches <= CPU_KEPT_VOXELS else CPU_PIECE_VOXELS
        loop = max(loop, KEPT_PASSES * cost.bytes_per_voxel * kept)
        # A pass for the fixed patches, one for the moving ones and their gradient, twice if nothing is kept.
        seconds += (4 if patches <= CPU_KEPT_VOXELS else 5) * cost.seconds_per_voxel * patches
    return Amount(images, 0.5 * images, 0.0, samples, per_point, loop, TERM_SECONDS + seconds)


def _local_correlation(plan: LocalCorrelationPlan, images: float, fixed: Grid, moving: Grid) -> Amount:
    points = lattice_points(fixed, plan.voxel_size, plan.radius)
    field = images - FLOAT * fixed.number_of_voxels
    # Both images standardised, the fixed one's field, and flags.
    making = 3 * FLOAT * (fixed.number_of_voxels + moving.number_of_voxels) + LATTICE_MAKING_BYTES * points
    loop = CORRELATION_BYTES[min(plan.stride, 2)] * points
    return Amount(
        field + LATTICE_BYTES * points, making, 0.0, 0, 0.0, loop, TERM_SECONDS + points * CORRELATION_SECONDS
    )


def lattice_points(fixed: Grid, spacing: float, margin: int) -> int:
    """Points of a lattice around the whole fixed image."""
    steps = [max(spacing, own) for own in fixed.spacing]
    return math.prod(int(length / step) + 1 + 2 * margin for length, step in zip(fixed.extent, steps))
