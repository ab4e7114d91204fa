"""Plan -> metrics of a level."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import assert_never, final

import torch

from elastix_impact.errors import LandmarkError
from elastix_impact.metrics.base import AbstractMetric
from elastix_impact.metrics.bending import BendingEnergy
from elastix_impact.metrics.correlation import NormalizedCorrelation
from elastix_impact.metrics.displacement import DisplacementMagnitude
from elastix_impact.metrics.folding import FoldingPenalty
from elastix_impact.metrics.histogram import HistogramSettings
from elastix_impact.metrics.impact.features import FeatureSink, ModelInput
from elastix_impact.metrics.impact.inputs import ImpactInputs
from elastix_impact.metrics.impact.jacobian import JacobianImpact
from elastix_impact.metrics.impact.layers import LayerComparison
from elastix_impact.metrics.impact.static import StaticImpact
from elastix_impact.metrics.joint_histogram import JointHistogramMetric
from elastix_impact.metrics.landmarks import LandmarkDistance
from elastix_impact.metrics.lattice_bending import LatticeBendingEnergy
from elastix_impact.metrics.lattice_samples import LatticeSamples
from elastix_impact.metrics.local_correlation import LocalNormalizedCorrelation
from elastix_impact.metrics.mean_squares import MeanSquares
from elastix_impact.metrics.mutual_information import minus_mutual_information, minus_normalized_mutual_information
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
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points
from elastix_impact.zoo.load import load_model

from .build import LevelImages

FindModel = Callable[[str, int], Path]
"""Turns a model's path as the map writes it, and the model's dimension, into an existing file."""

HISTOGRAM_CRITERIA = {"Mattes": minus_mutual_information, "Normalized": minus_normalized_mutual_information}

Landmarks = tuple[Points, Points]
"""Corresponding fixed and moving world points in mm, (N, D)."""


@final
@dataclass(frozen=True, eq=False)
class MetricContext:
    """What metrics need beside images: the transform at the level's `start` and `landmarks` are in the loop's frame."""

    level: int
    start: AbstractTransform
    find_model: FindModel
    generator: torch.Generator
    sink: FeatureSink | None
    landmarks: Landmarks | None


def build_metric(term: TermPlan, images: LevelImages, context: MetricContext) -> AbstractMetric:
    """One metric of one level.

    Raises
    ------
    ElastixImpactError
        If models, images or landmarks don't fit the plan.
    """
    plan, order = term.metric, term.interpolation_order
    pair = images.fixed, images.moving, images.moving_mask
    match plan:
        case ImpactPlan():
            return _impact(plan, order, images, context)
        case MeanSquaresPlan():
            return MeanSquares(
                *pair, fixed_mask=images.fixed_mask, use_normalization=plan.use_normalization, moving_order=order
            )
        case CorrelationPlan():
            return NormalizedCorrelation(*pair, moving_order=order)
        case LocalCorrelationPlan():
            return LocalNormalizedCorrelation(
                *pair, sampling_mask=images.sampling_mask, start=context.start,
                voxel_size=plan.voxel_size, radius=plan.radius, stride=plan.stride, moving_order=order,
            )  # fmt: skip
        case HistogramPlan():
            numbers = asdict(plan)
            criterion = HISTOGRAM_CRITERIA[numbers.pop("kind")]
            settings = HistogramSettings(**numbers)
            return JointHistogramMetric(
                *pair, fixed_mask=images.fixed_mask, criterion=criterion, settings=settings, moving_order=order
            )
        case PenaltyPlan():
            return _penalty(plan, images, context)
        case _:
            assert_never(plan)


def _penalty(plan: PenaltyPlan, images: LevelImages, context: MetricContext) -> AbstractMetric:
    landmarks = context.landmarks
    match plan.kind:
        case "BendingEnergy" if plan.at_control_points:
            return LatticeBendingEnergy(context.start)
        case "BendingEnergy":
            return BendingEnergy(images.moving_mask)
        case "Folding":
            return FoldingPenalty(context.start, plan.threshold)
        case "DisplacementMagnitude":
            return DisplacementMagnitude(images.moving_mask)
        case "CorrespondingPoints":
            if landmarks is None:
                raise LandmarkError(
                    "CorrespondingPointsEuclideanDistanceMetric needs landmarks, and none are given",
                    expected="corresponding points in both images",
                    remedy="Give --fixed-points and --moving-points (elastix: -fp and -mp)",
                )
            return LandmarkDistance(images.moving_mask, fixed_landmarks=landmarks[0], moving_landmarks=landmarks[1])
        case _:
            assert_never(plan.kind)


def _impact(plan: ImpactPlan, order: int, images: LevelImages, context: MetricContext) -> AbstractMetric:
    device = images.fixed.data.device
    fixed_models = [_model_input(model, plan, context.find_model, device) for model in plan.fixed_models]
    moving_models = [_model_input(model, plan, context.find_model, device) for model in plan.moving_models]
    inputs = ImpactInputs(
        fixed=images.fixed,
        moving=images.moving,
        moving_mask=images.moving_mask,
        fixed_models=fixed_models,
        moving_models=moving_models,
        layers=[LayerComparison(p.distance, p.weight, p.subset, p.pca) for p in plan.layers],
        image_order=order,
        generator=context.generator,
    )
    if plan.mode == "Jacobian":
        return JacobianImpact(inputs, gradient=plan.jacobian_gradient)
    spacing = plan.lattice_spacing
    lattice = LatticeSamples.of(images.fixed, None, images.sampling_mask, context.start, spacing) if spacing else None
    return StaticImpact(
        inputs,
        start=context.start,
        lattice=lattice,
        margin=plan.margin,
        feature_order=plan.feature_interpolation_order,
        update_interval=plan.update_interval,
        level=context.level,
        sink=context.sink if plan.feature_maps_directory else None,
    )


def _model_input(plan: ModelPlan, metric: ImpactPlan, find_model: FindModel, device: torch.device) -> ModelInput:
    path = find_model(plan.path, plan.dimension)
    model = load_model(path, device, mixed_precision=metric.mixed_precision)
    return ModelInput(model, plan.dimension, plan.channels, plan.patch_size, plan.voxel_size, plan.layers_mask)
