"""The one loop: draw samples, measure, differentiate, step.

Nothing in an iteration waits for the device: whether samples are valid is a weight, failed evaluations step by
zero, and the numbers for the table are copied out in blocks.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, final

import torch
from torch import Tensor

from elastix_impact.errors import MemoryShortError
from elastix_impact.metrics.base import AbstractMetric, MetricValue
from elastix_impact.optimizers.base import GRADIENT_TOO_SMALL, STEP_TOO_SMALL, AbstractOptimizer
from elastix_impact.samplers.base import AbstractSampler
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.zoo.failures import is_memory_short

from .result import IterationRecord, StopReason

Result = TypeVar("Result")

_STOPPED = {STEP_TOO_SMALL: StopReason.STEP_TOO_SMALL, GRADIENT_TOO_SMALL: StopReason.GRADIENT_TOO_SMALL}

BLOCK = {"cpu": 10}
"""Iterations between two looks at the numbers, per device type; others: 50."""


@final
@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """How long a level runs and when it gives up.

    `maximum_number_of_sampling_attempts` is how many iterations in a row may have too few valid samples.
    """

    iterations: int
    new_samples_every_iteration: bool
    required_ratio_of_valid_samples: float
    maximum_number_of_sampling_attempts: int
    keep_parameters: bool


@final
@dataclass(frozen=True)
class LoopResult:
    """Where the loop ended: parameters (P,) on the loop's device, every row, and why it stopped."""

    parameters: Tensor
    rows: list[IterationRecord]
    stop_reason: StopReason


@dataclass
class _Table:
    """Rows that are still on the device, in the order of `_row`."""

    names: tuple[str, ...] = ()
    numbers: list[Tensor] = field(default_factory=list)
    clock: list[float] = field(default_factory=list)
    parameters: list[Tensor | None] = field(default_factory=list)
    reasons: list[float] = field(default_factory=list)

    def take(self, first: int) -> list[IterationRecord]:
        """Fetch the rows, emptying the table; `first` is the iteration of the first."""
        block = torch.stack(self.numbers).tolist() if self.numbers else []
        rows = [
            IterationRecord(
                iteration=first + k, metric=line[0], time=line[1], step_size=line[2], gradient_norm=line[3],
                milliseconds=self.clock[k], valid_fraction=line[4], parts=dict(zip(self.names, line[6:])),
                parameters=self.parameters[k],
            )
            for k, line in enumerate(block)
        ]  # fmt: skip
        self.reasons = [line[5] for line in block]
        self.numbers, self.clock, self.parameters = [], [], []
        return rows


def run_loop(
    metric: AbstractMetric,
    transform: AbstractTransform,
    sampler: AbstractSampler,
    optimizer: AbstractOptimizer[Any],
    settings: LoopSettings,
    generator: torch.Generator,
    report: Callable[[Sequence[IterationRecord]], bool],
) -> LoopResult:
    """Minimise `metric` over the parameters of `transform`, starting from its own.

    `report` gets each block of rows and returns True to stop.
    """
    parameters = transform.parameters
    state = optimizer.init(parameters)
    points = sampler.draw(generator)
    block = BLOCK.get(parameters.device.type, 50)
    rows: list[IterationRecord] = []
    table, failures = _Table(), 0
    clock = time.perf_counter()
    for iteration in range(settings.iterations):
        if iteration and settings.new_samples_every_iteration:
            points = sampler.draw(generator)
        metric.begin_iteration(iteration, transform.with_parameters(parameters))
        measured, gradient = value_and_gradient(metric, transform, parameters, points)
        norm = torch.linalg.vector_norm(gradient)
        usable = (measured.valid_fraction >= settings.required_ratio_of_valid_samples) & torch.isfinite(norm)
        parameters, state = optimizer.step(parameters, torch.where(usable, gradient, 0.0), state)
        table.names = tuple(measured.parts)
        table.numbers.append(_row(measured, optimizer, state, norm))
        table.parameters.append(parameters.double().cpu() if settings.keep_parameters else None)
        now = time.perf_counter()
        table.clock.append((now - clock) * 1e3)
        clock = now
        if len(table.numbers) < block and iteration + 1 < settings.iterations:
            continue
        fresh = table.take(iteration + 1 - len(table.numbers))
        stop, failures = judge(fresh, settings, failures)
        made = next((k for k, reason in enumerate(table.reasons) if reason), None)
        if made is not None:
            stop = stop or _STOPPED[table.reasons[made]]
            fresh = fresh[:made]
        rows += fresh
        if fresh and report(fresh):
            stop = stop or StopReason.STOPPED_BY_OBSERVER
        if stop:
            return LoopResult(parameters, rows, stop)
    return LoopResult(parameters, rows, StopReason.MAXIMUM_ITERATIONS)


def value_and_gradient(
    metric: AbstractMetric, transform: AbstractTransform, parameters: Tensor, world_points: Tensor
) -> tuple[MetricValue, Tensor]:
    """The metric at `parameters` and its gradient (P,)."""

    def measure() -> tuple[MetricValue, Tensor]:
        leaf = parameters.detach().requires_grad_()
        measured = metric.evaluate(transform.with_parameters(leaf), world_points)
        (gradient,) = torch.autograd.grad(measured.value, leaf)
        return measured, gradient

    return with_enough_memory(metric, measure)


def with_enough_memory(metric: AbstractMetric, work: Callable[[], Result]) -> Result:
    """What `work` returns, repeated with less memory as long as memory runs out and `metric` can do with less.

    Raises
    ------
    MemoryShortError
        If it can't.
    """
    while True:
        try:
            return work()
        except (RuntimeError, MemoryError, MemoryShortError) as error:
            if not is_memory_short(error):
                raise
            shortage = _explained(error)
        if not metric.use_less_memory():
            raise shortage


def _explained(error: BaseException) -> MemoryShortError:
    """What to raise; free of the traceback, which holds on to the tensors of the failed attempt."""
    if isinstance(error, MemoryShortError):
        error.__cause__ = error.__context__ = None
        return error.with_traceback(None)
    return MemoryShortError(
        "memory ran out during the registration",
        remedy="Ask for fewer NumberOfSpatialSamples or smaller ImpactPatchSize, or run with --device cpu",
    )


def _row(measured: MetricValue, optimizer: AbstractOptimizer[Any], state: Any, norm: Tensor) -> Tensor:
    steps = optimizer.time(state), optimizer.step_size(state), norm
    numbers = [measured.value.detach(), *steps, measured.valid_fraction, optimizer.stopped(state)]
    return torch.stack([n.to(torch.float32) for n in (*numbers, *measured.parts.values())])


def judge(rows: list[IterationRecord], settings: LoopSettings, failures: int) -> tuple[StopReason | None, int]:
    """Whether these rows mean failure, and how many iterations in a row have had too few samples."""
    for row in rows:
        if row.valid_fraction < settings.required_ratio_of_valid_samples:
            failures += 1
            if failures > settings.maximum_number_of_sampling_attempts:
                return StopReason.TOO_FEW_SAMPLES, failures
            continue
        failures = 0
        if not (math.isfinite(row.metric) and math.isfinite(row.gradient_norm)):
            return StopReason.NON_FINITE_VALUE, failures
    return None, failures
