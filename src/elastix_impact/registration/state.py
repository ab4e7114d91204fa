"""The whole state of a registration between two iterations: one frozen value per loop, and one per map."""

from dataclasses import dataclass, replace
from typing import Any, final

import torch
from torch import Tensor

from elastix_impact.metrics.base import AbstractMetric
from elastix_impact.optimizers.base import LineSearchReport
from elastix_impact.searching.report import SearchReport
from elastix_impact.transforms.base import AbstractTransform

from .encoding import decode, encode
from .result import IterationRecord, LevelRecord, StopReason

_SAVED = ("iteration", "parameters", "optimizer", "generator", "rows", "last", "failures")
"""What a checkpoint holds of a loop as it is; points and metric are made again, see `LoopState.restored`."""


@final
@dataclass(frozen=True, eq=False)
class UnreadRow:
    """A row of the iteration table that is still on the device.

    `numbers` are metric, time, step size, gradient norm, valid fraction, why the optimiser stopped (0 = it did not),
    and the metric's parts, whose `names` these are.
    """

    numbers: Tensor
    names: tuple[str, ...]
    milliseconds: float
    parameters: Tensor | None
    search: LineSearchReport | None


@final
@dataclass(frozen=True, eq=False)
class LoopState:
    """A level's loop between two iterations.

    Attributes
    ----------
    iteration
        Iterations made.
    parameters
        (P,) on the loop's device.
    points
        The samples of the last iteration, world points (N, D) in mm in the loop's frame.
    metric
        As the last iteration left it: with the features of the last update.
    optimizer
        The optimiser's own state, or that of a line search.
    generator
        State of the generator.
    clock
        When the last iteration ended, seconds of `time.perf_counter`.
    unread, rows
        The table: what is still on the device, and what was read; a row is in one of them.
    last
        What was measured last: where the optimiser stopped by itself, else in the last row read.
    failures
        How many rows in a row have had too few samples.
    stop_reason
        Why the loop has ended, None while it has not.
    """

    iteration: int
    parameters: Tensor
    points: Tensor
    metric: AbstractMetric
    optimizer: Any
    generator: Tensor
    clock: float
    unread: tuple[UnreadRow, ...] = ()
    rows: tuple[IterationRecord, ...] = ()
    last: IterationRecord | None = None
    failures: int = 0
    stop_reason: StopReason | None = None

    def saved(self) -> dict[str, Any]:
        """All of it but what can be made again, as plain values and tensors on the CPU; all rows must be read."""
        assert not self.unread
        plain = replace(self, rows=tuple(replace(row, parameters=None) for row in self.rows))
        return {name: encode(getattr(plain, name)) for name in _SAVED} | {"metric": encode(self.metric.carried())}

    def restored(self, saved: dict[str, Any], transform: AbstractTransform) -> "LoopState":
        """The state that was saved, from this one, with which the same level begins.

        `transform` is the level's, in the loop's frame. Samples that stay the same are those that the level began with;
        others are drawn at the next iteration.
        """
        device = self.parameters.device
        values = {name: decode(saved[name], device) for name in _SAVED if name != "generator"}
        metric = self.metric.with_carried(decode(saved["metric"], device), transform)
        return replace(self, **values, generator=decode(saved["generator"], torch.device("cpu")), metric=metric)


@final
@dataclass(frozen=True, eq=False)
class RegistrationState:
    """A map's registration between two levels, or, with `loop`, between two iterations of one.

    Attributes
    ----------
    level
        The level that comes next or is at work; the number of levels if all are done.
    current
        What the level before reached, float64 on the CPU, world frame.
    generator
        State of the generator at the level's start.
    records
        Of the levels that are done.
    loop
        `LoopState.saved` of the level at work.
    stiffness
        Factor on the plan's weights of the bending energy, see `repeat`.
    search
        What a search for the start found, None without one.
    """

    level: int
    current: AbstractTransform
    generator: Tensor
    records: tuple[LevelRecord, ...] = ()
    loop: dict[str, Any] | None = None
    stiffness: float = 1.0
    search: SearchReport | None = None

    def saved(self) -> dict[str, Any]:
        """All of it as plain values and tensors on the CPU."""
        names = ("level", "current", "generator", "records", "stiffness", "search")
        return {name: encode(getattr(self, name)) for name in names} | {"loop": self.loop}

    @staticmethod
    def restored(saved: dict[str, Any]) -> "RegistrationState":
        """What was saved."""
        plain = {name: decode(value, torch.device("cpu")) for name, value in saved.items() if name != "loop"}
        return RegistrationState(**plain, loop=saved["loop"])
