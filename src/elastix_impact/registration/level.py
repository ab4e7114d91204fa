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
from elastix_impact.metrics.impact.features import FeatureSink
from elastix_impact.parameters.plan import LevelPlan, RegistrationPlan
from elastix_impact.samplers.base import AbstractSampler
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform

from .build import Images
from .build_metric import FindModel, Landmarks, MetricContext
from .loop import LoopResult, LoopSettings, run_loop
from .measure import with_enough_memory
from .observe import Observer
from .parts import build_all_images, build_parts, draws_anew
from .result import IterationRecord, LevelRecord
from .start import refined_transform
from .steps import Settings, build_optimizer


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
    landmarks: Landmarks | None,
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

    def context() -> MetricContext:
        shifted = None if landmarks is None else _landmarks_in_loop_frame(landmarks, centre, device)
        return MetricContext(level, template, find_model, generator, _sink(observers, centre), shifted)

    with phases.phase("pyramid"):
        current = refined_transform(plan, level, current, fixed.grid, initial)
        template = _in_loop_frame(plan, current, initial, centre, device)
        built_images = build_all_images(plan, level, images, device)
    with phases.phase("features"):
        parts = build_parts(step, built_images, device, context())
        first_points = parts.sampler.draw(generator)
        with torch.no_grad():
            with_enough_memory(parts.metric, lambda: parts.metric.evaluate(template, first_points))
    with phases.phase("estimation"):
        optimizer, settings = build_optimizer(plan, level, parts, template, generator)
    facts = _facts(current, parts.sampler)
    for observer in observers:
        observer.on_level_start(level, step.optimizer.maximum_number_of_iterations, current, facts)
    with phases.phase("loop"):
        wants_parameters = any(observer.wants_parameters for observer in observers)
        loop_settings = _loop_settings(step, keep_parameters=wants_parameters)

        def report(rows: Sequence[IterationRecord]) -> bool:
            answers = [observer.on_iterations(level, rows, current) for observer in observers]
            return any(answers)

        outcome = run_loop(parts.metric, template, parts.sampler, optimizer, loop_settings, generator, report)
    reached = current.with_parameters(outcome.parameters.detach().double().cpu())
    return reached, _record(level, outcome, parts.sampler, reached, phases.seconds, settings)


def _landmarks_in_loop_frame(landmarks: Landmarks, centre: Row, device: torch.device) -> Landmarks:
    offset = torch.tensor(centre, dtype=torch.float64)
    fixed, moving = ((points.double() - offset).to(torch.float32).to(device) for points in landmarks)
    return fixed, moving


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
        new_samples_every_iteration=draws_anew(step),
        required_ratio_of_valid_samples=step.required_ratio_of_valid_samples if step.check_number_of_samples else 0.0,
        maximum_number_of_sampling_attempts=step.optimizer.maximum_number_of_sampling_attempts,
        keep_parameters=keep_parameters,
        features_change=any(metric.update_interval > 0 for metric in step.impact_metrics),
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
    rows, last = outcome.rows, outcome.last
    first = rows[0] if rows else last
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
