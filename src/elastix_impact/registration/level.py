"""One resolution level: smooth, refine the transform, extract features, estimate the steps, run the loop."""

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid, Row
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.masks import erode, erosion_scale, mask_on
from elastix_impact.geometry.pyramid import pyramid_level
from elastix_impact.metrics.impact.features import FeatureSink
from elastix_impact.parameters.plan import LevelPlan, PyramidLevelPlan, RegistrationPlan
from elastix_impact.samplers.base import AbstractSampler
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform

from .build import FindModel, LevelImages, build_metric, build_sampler
from .loop import LoopResult, LoopSettings, run_loop, with_enough_memory
from .observe import Observer
from .result import IterationRecord, LevelRecord
from .start import refined_transform
from .steps import Settings, build_optimizer

Images = tuple[Image, Image, Image | None, Image | None]
"""Fixed, moving, fixed mask, moving mask in the world frame."""


@final
@dataclass
class Phases:
    """Names what a level is doing, for observers, and measures how long it took (seconds)."""

    level: int
    observers: Sequence[Observer]
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time everything inside the block as `name`."""
        for observer in self.observers:
            observer.on_phase(self.level, name)
        began = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


def run_level(
    plan: RegistrationPlan,
    level: int,
    images: Images,
    initial: AbstractTransform | None,
    current: AbstractTransform,
    find_model: FindModel,
    device: torch.device,
    generator: torch.Generator,
    observers: Sequence[Observer],
) -> tuple[AbstractTransform, LevelRecord]:
    """Optimise `current` at one level; it comes in and goes back float64 in the world frame on the CPU."""
    step, fixed = plan.levels[level], images[0]
    centre = fixed.grid.centre
    phases = Phases(level, observers)
    with phases.phase("pyramid"):
        local = _level_images(plan, level, images, device)
        current = refined_transform(plan, level, current, fixed.grid, initial)
    template = _in_loop_frame(plan, current, initial, centre, device)
    with phases.phase("features"):
        sampler = build_sampler(step.sampler, local.fixed.grid, local.sampling_mask, device)
        metric = build_metric(step, level, local, find_model, generator, _sink(observers, centre))
        first_points = sampler.draw(generator)
        with torch.no_grad():
            with_enough_memory(metric, lambda: metric.evaluate(template, first_points))
    with phases.phase("estimation"):
        optimizer, settings = build_optimizer(plan, level, local, template, metric, sampler, generator)
    for observer in observers:
        observer.on_level_start(level, step.optimizer.maximum_number_of_iterations, current, _facts(current, sampler))
    with phases.phase("loop"):
        wants_parameters = any(observer.wants_parameters for observer in observers)
        loop_settings = _loop_settings(step, keep_parameters=wants_parameters)

        def report(rows: Sequence[IterationRecord]) -> bool:
            answers = [observer.on_iterations(level, rows, current) for observer in observers]
            return any(answers)

        outcome = run_loop(metric, template, sampler, optimizer, loop_settings, generator, report)
    reached = current.with_parameters(outcome.parameters.detach().double().cpu())
    return reached, _record(level, outcome, sampler, reached, phases.seconds, settings)


def _level_images(plan: RegistrationPlan, level: int, images: Images, device: torch.device) -> LevelImages:
    """Smoothed and shrunk images and eroded masks, moved to the loop's frame and device."""
    fixed, moving, fixed_mask, moving_mask = images
    step = plan.levels[level]
    if fixed_mask and step.erode_fixed_mask:
        fixed_mask = erode(fixed_mask, erosion_scale(step.fixed_pyramid.shrink_factor, "fixed"))
    if moving_mask and step.erode_moving_mask:
        moving_mask = erode(moving_mask, erosion_scale(step.moving_pyramid.shrink_factor, "moving"))
    fixed_level = pyramid_image(fixed, [p.fixed_pyramid for p in plan.levels[level:]])
    moving_level = pyramid_image(moving, [p.moving_pyramid for p in plan.levels[level:]])
    sampling_mask = None if fixed_mask is None else mask_on(fixed_level.grid, fixed_mask)
    offset = tuple(-c for c in fixed.grid.centre)
    return LevelImages(
        fixed=fixed_level.shifted(offset).to(device),
        moving=moving_level.shifted(offset).to(device),
        sampling_mask=sampling_mask,
        moving_mask=None if moving_mask is None else moving_mask.shifted(offset).to(device),
    )


def pyramid_image(image: Image, plans: Sequence[PyramidLevelPlan]) -> Image:
    """The image at the first of `plans`; the others are the finer levels, which a recursive pyramid needs."""
    this, *finer = plans
    finer_factors = [p.shrink_factor for p in finer]
    sigma = this.smoothing_sigma
    if this.sigma_unit == "mm":
        sigma = tuple(mm / spacing for mm, spacing in zip(sigma, image.grid.spacing))
    return pyramid_level(image, this.kind, this.shrink_factor, sigma, finer_factors)


def _in_loop_frame(
    plan: RegistrationPlan,
    current: AbstractTransform,
    initial: AbstractTransform | None,
    centre: Row,
    device: torch.device,
) -> AbstractTransform:
    """The whole transform in float32 on the device, in a world whose origin is the fixed image's centre."""
    whole = current if initial is None else CompositeTransform(initial, current, plan.how_to_combine_transforms)
    return whole.shifted(tuple(-c for c in centre)).to(torch.float32, device)


def _sink(observers: Sequence[Observer], centre: Row) -> FeatureSink:
    def sink(name: str, features: Tensor, grid: Grid) -> None:
        for observer in observers:
            observer.on_feature_map(name, features.cpu(), grid.shifted(centre))

    return sink


def _loop_settings(step: LevelPlan, *, keep_parameters: bool) -> LoopSettings:
    return LoopSettings(
        iterations=step.optimizer.maximum_number_of_iterations,
        new_samples_every_iteration=step.sampler.new_samples_every_iteration,
        required_ratio_of_valid_samples=step.required_ratio_of_valid_samples if step.check_number_of_samples else 0.0,
        maximum_number_of_sampling_attempts=step.optimizer.maximum_number_of_sampling_attempts,
        keep_parameters=keep_parameters,
    )


def _facts(current: AbstractTransform, sampler: AbstractSampler) -> dict[str, str]:
    """Lines for the log about the level that begins."""
    facts = {"Transform": type(current).__name__, "Parameters": str(current.parameters.numel())}
    if isinstance(current, BSplineTransform):
        facts["Control point grid"] = "x".join(map(str, current.grid.size))
        facts["Control point spacing"] = " x ".join(f"{s:g}" for s in current.grid.spacing) + " mm"
    return facts | {"Samples": str(sampler.number_of_samples)}


def _record(
    level: int,
    outcome: LoopResult,
    sampler: AbstractSampler,
    reached: AbstractTransform,
    seconds: dict[str, float],
    settings: Settings,
) -> LevelRecord:
    rows = outcome.rows
    first, last = (rows[0], rows[-1]) if rows else (None, None)
    return LevelRecord(
        level=level,
        iterations=len(rows),
        stop_reason=outcome.stop_reason,
        first_metric=first.metric if first else math.nan,
        final_metric=last.metric if last else math.nan,
        raw_metric_first=first.parts if first else {},
        raw_metric_final=last.parts if last else {},
        samples=sampler.number_of_samples,
        valid_fraction=statistics.fmean(row.valid_fraction for row in rows) if rows else math.nan,
        number_of_parameters=reached.parameters.numel(),
        median_milliseconds=statistics.median(row.milliseconds for row in rows) if rows else math.nan,
        seconds=seconds,
        settings=settings,
    )
