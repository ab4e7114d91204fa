"""The one loop: draw samples, measure, differentiate, step.

Nothing in an iteration waits for the device: whether samples are valid is a weight, failed evaluations step by
zero, and the numbers for the table are copied out in blocks. Line searches do wait; their rows come one by one.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor

from elastix_impact.metrics.base import AbstractMetric
from elastix_impact.optimizers.base import (
    GRADIENT_TOO_SMALL,
    GRADIENT_VANISHED,
    STEP_TOO_SMALL,
    STEP_VANISHED,
    WOLFE_VIOLATED,
    AbstractLineSearchOptimizer,
    AbstractOptimizer,
    LineSearchReport,
)
from elastix_impact.samplers.base import AbstractSampler
from elastix_impact.transforms.base import AbstractTransform

from .advance import AbstractAdvance, Advanced, GradientAdvance, LineSearchAdvance
from .result import IterationRecord, StopReason

_STOPPED = {
    STEP_TOO_SMALL: StopReason.STEP_TOO_SMALL,
    GRADIENT_TOO_SMALL: StopReason.GRADIENT_TOO_SMALL,
    STEP_VANISHED: StopReason.STEP_VANISHED,
    GRADIENT_VANISHED: StopReason.GRADIENT_VANISHED,
    WOLFE_VIOLATED: StopReason.WOLFE_VIOLATED,
}

BLOCK = {"cpu": 10}
"""Iterations between two looks at the numbers, per device type; others: 50."""

AnyOptimizer = AbstractOptimizer[Any] | AbstractLineSearchOptimizer[Any]


@final
@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """How long a level runs and when it gives up.

    `maximum_number_of_sampling_attempts` is how many iterations in a row may have too few valid samples.
    `features_change` says that the metric at one place may differ between iterations, apart from new samples.
    """

    iterations: int
    new_samples_every_iteration: bool
    required_ratio_of_valid_samples: float
    maximum_number_of_sampling_attempts: int
    keep_parameters: bool
    features_change: bool = False


@final
@dataclass(frozen=True)
class LoopResult:
    """Where the loop ended.

    Attributes
    ----------
    parameters
        (P,) on the loop's device.
    rows
        One per step.
    last
        What was measured last: where the optimiser stopped by itself, else in the last row. None without iterations.
    stop_reason
        Why it ended.
    """

    parameters: Tensor
    rows: list[IterationRecord]
    last: IterationRecord | None
    stop_reason: StopReason


@dataclass
class _Table:
    """Rows that are still on the device, in the order of `Advanced.numbers`."""

    names: tuple[str, ...] = ()
    numbers: list[Tensor] = field(default_factory=list)
    clock: list[float] = field(default_factory=list)
    parameters: list[Tensor | None] = field(default_factory=list)
    searches: list[LineSearchReport | None] = field(default_factory=list)
    reasons: list[float] = field(default_factory=list)
    now: float = field(default_factory=time.perf_counter)

    def add(self, advanced: Advanced, *, keep_parameters: bool) -> None:
        """Put an iteration into the table."""
        self.names = tuple(advanced.measured.parts)
        self.numbers.append(advanced.numbers())
        self.parameters.append(advanced.parameters.double().cpu() if keep_parameters else None)
        self.searches.append(advanced.search)
        before, self.now = self.now, time.perf_counter()
        self.clock.append((self.now - before) * 1e3)

    def take(self, first: int) -> list[IterationRecord]:
        """Fetch the rows, emptying the table; `first` is the iteration of the first."""
        block = torch.stack(self.numbers).tolist() if self.numbers else []
        rows = [
            IterationRecord(
                iteration=first + k, metric=line[0], time=line[1], step_size=line[2], gradient_norm=line[3],
                milliseconds=self.clock[k], valid_fraction=line[4], parts=dict(zip(self.names, line[6:])),
                parameters=self.parameters[k], search=self.searches[k],
            )
            for k, line in enumerate(block)
        ]  # fmt: skip
        self.reasons = [line[5] for line in block]
        self.numbers, self.clock, self.parameters, self.searches = [], [], [], []
        return rows


def run_loop(
    metric: AbstractMetric,
    transform: AbstractTransform,
    sampler: AbstractSampler,
    optimizer: AnyOptimizer,
    settings: LoopSettings,
    generator: torch.Generator,
    report: Callable[[Sequence[IterationRecord]], bool],
) -> LoopResult:
    """Minimise `metric` over the parameters of `transform`, starting from its own.

    `report` gets each block of rows and returns True to stop.
    """
    parameters = transform.parameters
    points = sampler.draw(generator)
    iterations = _iterations(metric, transform, sampler, optimizer, settings, generator)
    block = 1 if isinstance(iterations, LineSearchAdvance) else BLOCK.get(parameters.device.type, 50)
    rows: list[IterationRecord] = []
    table, failures, last = _Table(), 0, None
    for iteration in range(settings.iterations):
        if iteration and settings.new_samples_every_iteration:
            points = sampler.draw(generator)
        metric.begin_iteration(iteration, transform.with_parameters(parameters))
        advanced = iterations.advance(parameters, points)
        parameters = advanced.parameters
        table.add(advanced, keep_parameters=settings.keep_parameters)
        if len(table.numbers) < block and iteration + 1 < settings.iterations:
            continue
        measured = table.take(iteration + 1 - len(table.numbers))
        made, stop, failures = _judge(measured, table.reasons, settings, failures)
        fresh, last = measured[:made], measured[min(made, len(measured) - 1)] if measured else last
        rows += fresh
        if fresh and report(fresh):
            stop = stop or StopReason.STOPPED_BY_OBSERVER
        if stop:
            return LoopResult(parameters, rows, last, stop)
    return LoopResult(parameters, rows, last, StopReason.MAXIMUM_ITERATIONS)


def _iterations(
    metric: AbstractMetric,
    transform: AbstractTransform,
    sampler: AbstractSampler,
    optimizer: AnyOptimizer,
    settings: LoopSettings,
    generator: torch.Generator,
) -> AbstractAdvance:
    """What makes the iterations of this kind of optimiser."""
    ratio = settings.required_ratio_of_valid_samples
    if isinstance(optimizer, AbstractOptimizer):
        return GradientAdvance(metric, transform, optimizer, ratio)
    anew = settings.new_samples_every_iteration and sampler.is_random
    changes = anew or settings.features_change
    return LineSearchAdvance(metric, transform, optimizer, ratio, generator, changes=changes)


def _judge(
    rows: Sequence[IterationRecord], reasons: Sequence[float], settings: LoopSettings, failures: int
) -> tuple[int, StopReason | None, int]:
    """How many of these rows count, whether they end the level, and how many in a row have had too few samples.

    A row in which the optimiser made no step because it has converged doesn't count; `reasons` are its codes.
    """
    for number, row in enumerate(rows):
        if row.valid_fraction < settings.required_ratio_of_valid_samples:
            failures += 1
            if failures > settings.maximum_number_of_sampling_attempts:
                return len(rows), StopReason.TOO_FEW_SAMPLES, failures
            continue
        failures = 0
        if not (math.isfinite(row.metric) and math.isfinite(row.gradient_norm)):
            return len(rows), StopReason.NON_FINITE_VALUE, failures
        if reasons[number]:
            return number, _STOPPED[reasons[number]], failures
    return len(rows), None, failures
