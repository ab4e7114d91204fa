"""The metrics beside IMPACT at a level, and the weights of several."""

from __future__ import annotations

from elastix_impact.parameters.metric_plan import (
    CorrelationPlan,
    HistogramPlan,
    LocalCorrelationPlan,
    MeanSquaresPlan,
    MetricKind,
    MetricPlan,
    PenaltyPlan,
)
from elastix_impact.parameters.reader import Reader

from .impact import resolve_impact


def resolve_metric(reader: Reader, kind: MetricKind, level: int, dimension: int) -> MetricPlan | None:
    """One metric of one level; None, with errors, if it can't be made."""
    match kind:
        case "Impact":
            return resolve_impact(reader, level, dimension)
        case "MeanSquares":
            return MeanSquaresPlan(use_normalization=reader.boolean("UseNormalization", level))
        case "Correlation":
            return CorrelationPlan()
        case "LocalCorrelation":
            return LocalCorrelationPlan(
                voxel_size=reader.number("LocalCorrelationVoxelSize", level),
                radius=reader.integer("LocalCorrelationRadius", level),
                stride=reader.integer("LocalCorrelationStride", level),
            )
        case "Mattes" | "Normalized":
            bins = reader.integer("NumberOfHistogramBins", level)
            return HistogramPlan(
                kind=kind,
                fixed_bins=reader.integer("NumberOfFixedHistogramBins", level, default=bins),
                moving_bins=reader.integer("NumberOfMovingHistogramBins", level, default=bins),
                fixed_kernel_order=reader.integer("FixedKernelBSplineOrder", level),
                moving_kernel_order=reader.integer("MovingKernelBSplineOrder", level),
                fixed_limit_range_ratio=reader.number("FixedLimitRangeRatio", level),
                moving_limit_range_ratio=reader.number("MovingLimitRangeRatio", level),
            )
        case "BendingEnergy":
            return PenaltyPlan(kind=kind, at_control_points=reader.boolean("BendingEnergyAtControlPoints", level))
        case "Folding":
            return PenaltyPlan(kind=kind, threshold=reader.number("FoldingThreshold", level))
        case "DisplacementMagnitude" | "CorrespondingPoints":
            return PenaltyPlan(kind=kind)


def resolve_weight(reader: Reader, number: int, level: int, *, of: int, relative: bool) -> float:
    """The weight of metric `number` of `of` at a level; elastix's default is 1 / number of metrics."""
    if of == 1:
        return 1.0
    name = f"Metric{number}RelativeWeight" if relative else f"Metric{number}Weight"
    return reader.number(name, level, default=1.0 / of)


def is_used(reader: Reader, number: int, level: int, *, of: int) -> bool:
    """Whether metric `number` of `of` drives the optimiser at a level."""
    return of == 1 or reader.boolean(f"Metric{number}Use", level)
