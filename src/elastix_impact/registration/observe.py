"""Watching a registration without changing its numbers."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.parameters.plan import StagePlan
from elastix_impact.transforms.base import AbstractTransform

from .result import IterationRecord, LevelRecord


class Observer(Protocol):
    """Whoever wants to watch: progress bars, tables, files. Every method may do nothing.

    Transforms handed over are in the world frame (mm), float64, on the CPU, initial transform not included.
    """

    @property
    def wants_parameters(self) -> bool:
        """Whether iteration records should carry the parameters (costs a copy per iteration)."""
        ...

    def on_start(self, plan: StagePlan, device: str) -> None:
        """Called before the first level; `device` is where, or who runs a plan that is handed on, or has run it."""
        ...

    def on_phase(self, level: int, phase: str) -> None:
        """Called when a level enters ``pyramid``, ``features``, ``estimation`` or ``loop``, before the first
        perhaps ``search``; or, of a plan that is handed on, ``elastix``, the only other call for it; and when a stage's
        result is measured, ``evaluation``, with the stage's last level.
        """
        ...

    def on_level_start(self, level: int, iterations: int, transform: AbstractTransform, facts: dict[str, str]) -> None:
        """Called when a level is set up; `facts` are lines for the log (grid size, samples, model inputs...)."""
        ...

    def on_iterations(self, level: int, rows: Sequence[IterationRecord], transform: AbstractTransform) -> bool:
        """Called with the rows since the last call; returns True to stop the run. `transform` is a template
        whose parameters are those of the level's start: combine it with `row.parameters`. Where a level is continued,
        the first rows are those that were made before, without parameters.
        """
        ...

    def on_feature_map(self, name: str, features: Tensor, grid: Grid) -> None:
        """Called with each map (C, *spatial) that ImpactFeatureMapOutputDirectory asks for; `name` has no suffix."""
        ...

    def on_level_end(self, record: LevelRecord, transform: AbstractTransform) -> None:
        """Called after a level with the transform it reached."""
        ...


class NullObserver:
    """Watches nothing; wrap or imitate it."""

    wants_parameters = False

    def on_start(self, plan: StagePlan, device: str) -> None:  # noqa: D102
        del plan, device

    def on_phase(self, level: int, phase: str) -> None:  # noqa: D102
        del level, phase

    def on_level_start(  # noqa: D102
        self, level: int, iterations: int, transform: AbstractTransform, facts: dict[str, str]
    ) -> None:
        del level, iterations, transform, facts

    def on_iterations(  # noqa: D102
        self, level: int, rows: Sequence[IterationRecord], transform: AbstractTransform
    ) -> bool:
        del level, rows, transform
        return False

    def on_feature_map(self, name: str, features: Tensor, grid: Grid) -> None:  # noqa: D102
        del name, features, grid

    def on_level_end(self, record: LevelRecord, transform: AbstractTransform) -> None:  # noqa: D102
        del record, transform
