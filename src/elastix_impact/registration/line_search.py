"""The loop of an optimiser that searches along lines: it evaluates as often as it likes within an iteration."""

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from elastix_impact.metrics.base import AbstractMetric, MetricValue
from elastix_impact.optimizers.lbfgs import Lbfgs
from elastix_impact.samplers.base import AbstractSampler
from elastix_impact.transforms.base import AbstractTransform

from .loop import LoopResult, LoopSettings, judge, value_and_gradient
from .result import IterationRecord, StopReason


def run_line_search(
    metric: AbstractMetric,
    transform: AbstractTransform,
    sampler: AbstractSampler,
    optimizer: Lbfgs,
    settings: LoopSettings,
    generator: torch.Generator,
    report: Callable[[Sequence[IterationRecord]], bool],
) -> LoopResult:
    """As `run_loop`. Samples are drawn once and kept: a search among changing values finds nothing."""
    points = sampler.draw(generator)
    latest: list[MetricValue] = []

    def evaluate(parameters: Tensor) -> tuple[Tensor, Tensor]:
        measured, gradient = value_and_gradient(metric, transform, parameters, points)
        latest[:] = [measured]
        return measured.value, gradient

    rows: list[IterationRecord] = []
    reached, failures, clock = transform.parameters, 0, time.perf_counter()
    for number, step in enumerate(optimizer.minimise(transform.parameters, evaluate, settings.iterations)):
        now = time.perf_counter()
        row = IterationRecord(
            iteration=number, metric=step.value, time=float(number), step_size=step.length,
            gradient_norm=step.gradient_norm, milliseconds=(now - clock) * 1e3,
            valid_fraction=float(latest[0].valid_fraction),
            parts={name: float(part) for name, part in latest[0].parts.items()},
            parameters=step.parameters.double().cpu() if settings.keep_parameters else None,
        )  # fmt: skip
        clock = now
        rows.append(row)
        stop, failures = judge([row], settings, failures)
        if stop is None:
            reached = step.parameters
        if report([row]):
            stop = stop or StopReason.STOPPED_BY_OBSERVER
        if stop:
            return LoopResult(reached, rows, stop)
    finished = len(rows) < settings.iterations or (rows and rows[-1].step_size == 0)
    reason = StopReason.LINE_SEARCH_ENDED if finished else StopReason.MAXIMUM_ITERATIONS
    return LoopResult(reached, rows, reason)
