"""One resolution level: smooth, refine the transform, extract features, estimate the steps, run the loop."""

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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

from .advance import Advance, LoopSettings
from .both_see import FieldsOfView, where_both_see
from .build import Images
from .build_metric import FindModel, Landmarks, MetricContext
from .folding import share_folded
from .keep import Keeper
from .loop import run_loop
from .measure import with_enough_memory
from .observe import Observer
from .parts import LevelParts, build_all_images, build_parts, draws_anew
from .result import IterationRecord, LevelRecord
from .start import refined_transform
from .state import LoopState, RegistrationState
from .stepping import AnyOptimizer
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


@final
@dataclass(frozen=True, eq=False)
class RegistrationTask:
    """What one map has to register, and with what; see `register`. Images are those that the plan sees, world frame."""

    plan: RegistrationPlan
    images: Images
    views: FieldsOfView | None
    landmarks: Landmarks | None
    initial: AbstractTransform | None
    find_model: FindModel
    device: torch.device
    generator: torch.Generator
    observers: Sequence[Observer]
    keeper: Keeper

    @property
    def centre(self) -> Row:
        """World point in mm that is the origin of the loop's frame."""
        return self.images[0].grid.centre


def run_level(task: RegistrationTask, state: RegistrationState) -> RegistrationState:
    """Make the level that comes next, or go on with it; the state after it has its record as the last one."""
    level, step = state.level, task.plan.levels[state.level]
    phases = Phases(level, task.observers)
    task.generator.set_state(state.generator)
    with phases.phase("pyramid"):
        current = refined_transform(task.plan, level, state.current, task.images[0].grid, task.initial)
        template = _in_loop_frame(task, current)
        built_images = build_all_images(task.plan, level, task.images, task.device)
        if step.sample_where_both_see and task.views is not None:
            built_images = where_both_see(built_images, task.views.shifted(tuple(-c for c in task.centre)), template)
    with phases.phase("features"):
        parts = build_parts(step, built_images, task.device, _metric_context(task, level, template))
        first_points = parts.sampler.draw(task.generator)
        with torch.no_grad():
            with_enough_memory(parts.metric, lambda: parts.metric.evaluate(template, first_points))
    with phases.phase("estimation"):
        optimizer, settings = build_optimizer(task.plan, level, parts, template, task.generator)
    facts = _facts(current, parts.sampler)
    if level == 0 and state.search is not None:
        facts["Start"] = state.search.sentence
    for observer in task.observers:
        observer.on_level_start(level, step.optimizer.maximum_number_of_iterations, current, facts)
    with phases.phase("loop"):
        end = _loop(task, state, current, template, parts, optimizer)
    reached = current.with_parameters(end.parameters.detach().double().cpu())
    record = _record(level, end, parts.sampler, reached, phases.seconds, settings)
    if step.repeat_while_folding:
        record = replace(record, share_folded=share_folded(template.with_parameters(end.parameters), parts.images))
    return replace(
        state, level=level + 1, current=reached, generator=end.generator, records=(*state.records, record), loop=None
    )


def _loop(
    task: RegistrationTask,
    state: RegistrationState,
    current: AbstractTransform,
    template: AbstractTransform,
    parts: LevelParts,
    optimizer: AnyOptimizer,
) -> LoopState:
    """The level's loop, from its beginning or from where it was kept; kept when it is due, and if it is interrupted."""
    wants_parameters = any(observer.wants_parameters for observer in task.observers)
    settings = _loop_settings(task.plan.levels[state.level], keep_parameters=wants_parameters)
    advance = Advance(parts.metric, template, parts.sampler, optimizer, settings, task.generator)
    latest = advance.begin() if state.loop is None else advance.restored(state.loop)

    def report(rows: Sequence[IterationRecord]) -> bool:
        answers = [observer.on_iterations(state.level, rows, current) for observer in task.observers]
        return any(answers)

    def keep(reached: LoopState) -> None:
        nonlocal latest
        latest = reached
        if task.keeper.is_due():
            task.keeper.keep(replace(state, loop=latest.saved()))

    try:
        return run_loop(advance, latest, settings, report, keep)
    except KeyboardInterrupt:
        task.keeper.keep(replace(state, loop=latest.saved()))
        raise


def _metric_context(task: RegistrationTask, level: int, template: AbstractTransform) -> MetricContext:
    landmarks, centre = task.landmarks, task.centre
    shifted = None if landmarks is None else _landmarks_in_loop_frame(landmarks, centre, task.device)
    return MetricContext(level, template, task.find_model, task.generator, _sink(task.observers, centre), shifted)


def _landmarks_in_loop_frame(landmarks: Landmarks, centre: Row, device: torch.device) -> Landmarks:
    offset = torch.tensor(centre, dtype=torch.float64)
    fixed, moving = ((points.double() - offset).to(torch.float32).to(device) for points in landmarks)
    return fixed, moving


def _in_loop_frame(task: RegistrationTask, current: AbstractTransform) -> AbstractTransform:
    """The whole transform in float32 on the device, in a world whose origin is the fixed image's centre."""
    whole = (
        current
        if task.initial is None
        else CompositeTransform(task.initial, current, task.plan.how_to_combine_transforms)
    )
    return whole.shifted(tuple(-c for c in task.centre)).to(torch.float32, task.device)


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
    end: LoopState,
    sampler: AbstractSampler,
    reached: AbstractTransform,
    seconds: dict[str, float],
    settings: Settings,
) -> LevelRecord:
    rows, last = end.rows, end.last
    assert end.stop_reason is not None
    first = rows[0] if rows else last
    return LevelRecord(
        level=level,
        iterations=len(rows),
        stop_reason=end.stop_reason,
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
