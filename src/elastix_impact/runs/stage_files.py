"""The files of one stage: iteration tables, transform files and images, under elastix's names."""

from collections.abc import Sequence
from typing import final

from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.observers.iteration_table import header_line, row_line
from elastix_impact.parameters.plan import RegistrationPlan
from elastix_impact.registration.result import IterationRecord, LevelRecord
from elastix_impact.transforms.base import AbstractTransform

from .stage import Stage


@final
class StageFilesObserver:
    """Writes what a stage writes while it runs: tables, and per level or iteration transforms and images."""

    def __init__(self, stage: Stage, plan: RegistrationPlan) -> None:
        self._stage, self._plan = stage, plan
        self._rows: list[IterationRecord] = []
        self._level = 0

    @property
    def wants_parameters(self) -> bool:
        """Whether some level writes its transform after each iteration."""
        return any(level.write_transform_each_iteration for level in self._plan.levels)

    def on_start(self, plan: object, device: str) -> None:
        """Do nothing."""
        del plan, device

    def on_phase(self, level: int, phase: str) -> None:
        """Notice a new level, and write its pyramid images if the map asks for them."""
        if phase == "pyramid":
            self._rows, self._level = [], level
            if self._plan.levels[level].write_pyramid_images:
                self._stage.write_pyramid_images(level)

    def on_level_start(self, level: int, iterations: int, transform: AbstractTransform, facts: dict[str, str]) -> None:
        """Do nothing: the table is written when the level ends."""
        del level, iterations, transform, facts

    def on_iterations(self, level: int, rows: Sequence[IterationRecord], transform: AbstractTransform) -> bool:
        """Keep the rows for the table; write the transform of each iteration if asked. Never stops the run."""
        self._rows += rows
        if self._plan.levels[level].write_transform_each_iteration:
            for row in rows:
                assert row.parameters is not None
                self._stage.write_transform(
                    transform.with_parameters(row.parameters), f".R{level}.It{row.iteration:07d}"
                )
        return False

    def on_feature_map(self, name: str, features: Tensor, grid: Grid) -> None:
        """Write a feature map into the level's ImpactFeatureMapOutputDirectory."""
        metrics = self._plan.levels[self._level].impact_metrics
        directory = next(one.feature_maps_directory for one in metrics if one.feature_maps_directory)
        self._stage.write_feature_map(directory, name, features, grid)

    def on_level_end(self, record: LevelRecord, transform: AbstractTransform) -> None:
        """Write the level's table, and its transform and result image if the map asks for them and it went well."""
        self.write_table()
        level = self._plan.levels[record.level]
        if record.stop_reason.is_failure:
            return
        if level.write_transform:
            self._stage.write_transform(transform, f".R{record.level}")
        if level.write_result_image:
            self._stage.write_result(transform, f".R{record.level}")

    def write_table(self) -> None:
        """Write the rows so far as `IterationInfo.<i>.R<r>.txt`; also called when the run is cut short."""
        if not self._rows or not self._stage.plan.output.write_iteration_info:
            return
        level = self._plan.levels[self._level]
        lines = [header_line(level), *(row_line(level, row) for row in self._rows)]
        self._stage.folder.write_text(f"IterationInfo.{self._stage.number}.R{self._level}.txt", "\n".join(lines) + "\n")
        self._rows = []
