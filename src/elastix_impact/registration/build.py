"""Plan -> sampler and metric: where plan types meet the classes that do the work. Transforms: see `start`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never, final

import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.metrics.base import AbstractMetric
from elastix_impact.metrics.impact.features import FeatureSink, ModelInput
from elastix_impact.metrics.impact.jacobian import JacobianImpact
from elastix_impact.metrics.impact.layers import LayerComparison
from elastix_impact.metrics.impact.static import StaticImpact
from elastix_impact.parameters.plan import (
    ImpactPlan,
    LevelPlan,
    ModelPlan,
    SamplerPlan,
)
from elastix_impact.samplers.base import AbstractSampler
from elastix_impact.samplers.fixed import FullSampler, GridSampler
from elastix_impact.samplers.random import RandomCoordinateSampler, RandomSampler
from elastix_impact.samplers.region import RandomRegionSampler
from elastix_impact.zoo.load import load_model

FindModel = Callable[[str, int], Path]
"""Turns a model's path as the map writes it, and the model's dimension, into an existing file."""


@final
@dataclass(frozen=True, eq=False)
class LevelImages:
    """The images of one level in the loop's frame and on its device.

    `sampling_mask` is bool on the fixed image's grid, (z, )y, x; `moving_mask` lies on a grid of its own.
    """

    fixed: Image
    moving: Image
    sampling_mask: torch.Tensor | None
    moving_mask: Image | None


def build_sampler(plan: SamplerPlan, grid: Grid, mask: torch.Tensor | None, device: torch.device) -> AbstractSampler:
    """The sampler of one level on its fixed grid; `mask` is a bool tensor on that grid."""
    match plan.kind:
        case "Full":
            return FullSampler(grid, mask, device)
        case "Grid":
            return GridSampler(grid, mask, device, spacing_voxels=plan.grid_spacing_voxels)
        case "Random" | "RandomSparseMask":
            return RandomSampler(grid, mask, plan.number_of_samples, device)
        case "RandomCoordinate" if plan.use_random_sample_region:
            return RandomRegionSampler(grid, mask, plan.number_of_samples, device, plan.sample_region_size)
        case "RandomCoordinate":
            return RandomCoordinateSampler(grid, mask, plan.number_of_samples, device)
        case _:
            assert_never(plan.kind)


def build_metric(
    plan: LevelPlan,
    level: int,
    images: LevelImages,
    find_model: FindModel,
    generator: torch.Generator,
    sink: FeatureSink | None,
) -> AbstractMetric:
    """The metric of one level."""
    metric, device = plan.metric, images.fixed.data.device
    fixed_models = [_model_input(model, metric, find_model, device) for model in metric.fixed_models]
    moving_models = [_model_input(model, metric, find_model, device) for model in metric.moving_models]
    layers = [LayerComparison(p.distance, p.weight, p.subset, p.pca) for p in metric.layers]
    if metric.mode == "Jacobian":
        return JacobianImpact(
            images.fixed,
            images.moving,
            images.moving_mask,
            fixed_models=fixed_models,
            moving_models=moving_models,
            layers=layers,
            image_order=plan.interpolation_order,
            gradient=metric.jacobian_gradient,
            generator=generator,
        )
    return StaticImpact(
        images.fixed,
        images.moving,
        images.moving_mask,
        fixed_models=fixed_models,
        moving_models=moving_models,
        layers=layers,
        image_order=plan.interpolation_order,
        feature_order=metric.feature_interpolation_order,
        update_interval=metric.update_interval,
        generator=generator,
        level=level,
        sink=sink if metric.feature_maps_directory else None,
    )


def _model_input(plan: ModelPlan, metric: ImpactPlan, find_model: FindModel, device: torch.device) -> ModelInput:
    path = find_model(plan.path, plan.dimension)
    model = load_model(path, device, mixed_precision=metric.mixed_precision)
    return ModelInput(model, plan.dimension, plan.channels, plan.patch_size, plan.voxel_size, plan.layers_mask)
