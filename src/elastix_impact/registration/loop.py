"""The one loop: advance, read the table, judge, report.

Nothing in an iteration waits for the device: whether samples are valid is a weight, failed evaluations step by
zero, and the numbers for the table are copied out in blocks. Line searches do wait; their rows come one by one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from elastix_impact.optimizers.base import (
    GRADIENT_TOO_SMALL,
    GRADIENT_VANISHED,
    STEP_TOO_SMALL,
    STEP_VANISHED,
    WOLFE_VIOLATED,
)

from .advance import Advance, LoopSettings
from .result import IterationRecord, StopReason
from .state import LoopState, UnreadRow

_STOPPED = {
    STEP_TOO_SMALL: StopReason.STEP_TOO_SMALL,
    GRADIENT_TOO_SMALL: StopReason.GRADIENT_TOO_SMALL,
    STEP_VANISHED: StopReason.STEP_VANISHED,
    GRADIENT_VANISHED: StopReason.GRADIENT_VANISHED,
    WOLFE_VIOLATED: StopReason.WOLFE_VIOLATED,
}

BLOCK = {"cpu": 10}
"""Iterations between two looks at the numbers, per device type; others: 50."""

Report = Callable[[Sequence[IterationRecord]], bool]
"""Gets each block of rows and returns True to stop."""

Keep = Callable[[LoopState], None]
"""Gets each state that goes on and whose rows are all read and reported."""


def run_loop(advance: Advance, state: LoopState, settings: LoopSettings, report: Report, keep: Keep) -> LoopState:
    """Make iterations from `state` until one of them, `report` or their number ends it.

    Returns
    -------
    LoopState
        With its `stop_reason`; all rows are read.
    """
    block = 1 if advance.waits_for_the_device else BLOCK.get(state.parameters.device.type, 50)
    if state.rows:
        state = _ended(state, settings, asked=report(state.rows))
    while state.stop_reason is None:
        if state.iteration < settings.iterations:
            state = advance.advance(state)
        if len(state.unread) < block and state.iteration < settings.iterations:
            continue
        rows_before = len(state.rows)
        state = read(state, settings)
        fresh = state.rows[rows_before:]
        state = _ended(state, settings, asked=bool(fresh) and report(fresh))
        if state.stop_reason is None:
            keep(state)
    return state


def read(state: LoopState, settings: LoopSettings) -> LoopState:
    """The state with its unread rows read and judged: this is where the loop waits for the device.

    A row in which the optimiser made no step because it has converged is not put into the table.
    """
    measured, reasons = _fetched(state.unread, state.iteration - len(state.unread))
    made, stop, failures = _judge(measured, reasons, settings, state.failures)
    last = measured[min(made, len(measured) - 1)] if measured else state.last
    rows = (*state.rows, *measured[:made])
    return replace(state, unread=(), rows=rows, last=last, failures=failures, stop_reason=stop)


def _ended(state: LoopState, settings: LoopSettings, *, asked: bool) -> LoopState:
    """The state with the reason for its end, if it ends: its own, an observer's wish, or the number of iterations."""
    if state.stop_reason is not None:
        return state
    if asked:
        return replace(state, stop_reason=StopReason.STOPPED_BY_OBSERVER)
    done = state.iteration >= settings.iterations
    return replace(state, stop_reason=StopReason.MAXIMUM_ITERATIONS) if done else state


def _fetched(unread: Sequence[UnreadRow], first: int) -> tuple[list[IterationRecord], list[float]]:
    """The rows, of which `first` is the first's iteration, and why the optimiser stopped at each, 0 = it did not."""
    block = torch.stack([row.numbers for row in unread]).tolist() if unread else []
    rows = [
        IterationRecord(
            iteration=first + k, metric=line[0], time=line[1], step_size=line[2], gradient_norm=line[3],
            milliseconds=row.milliseconds, valid_fraction=line[4], parts=dict(zip(row.names, line[6:])),
            parameters=row.parameters, search=row.search,
        )
        for k, (row, line) in enumerate(zip(unread, block))
    ]  # fmt: skip
    return rows, [line[5] for line in block]


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
