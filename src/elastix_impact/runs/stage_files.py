"""The files of one stage: iteration tables, transform files and images, under elastix's names."""

from collections.abc import Sequence
from typing import final

from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.io.atomic import output_errors
from elastix_impact.observers.iteration_table import header_line, row_line
from elastix_impact.parameters.plan import RegistrationPlan
from elastix_impact.registration.observe import NullObserver
from elastix_impact.registration.result import IterationRecord, LevelRecord
from elastix_impact.transforms.base import AbstractTransform

from .stage import Stage


@final
class StageFilesObserver(NullObserver):
    """Writes what a stage writes while it runs: tables as they grow, transforms and images per level or iteration."""

    def __init__(self, stage: Stage, plan: RegistrationPlan) -> None:
        self._stage, self._plan = stage, plan
        self._level, self._has_table = 0, False

    @property
    def wants_parameters(self) -> bool:
        """Whether some level writes its transform after each iteration."""
        return any(level.write_transform_each_iteration for level in self._plan.levels)

    def on_phase(self, level: int, phase: str) -> None:
        """Notice a new level, and write its pyramid images if the map asks for them."""
        if phase == "pyramid":
            self._level, self._has_table = level, False
            if self._plan.levels[level].write_pyramid_images:
                self._stage.write_pyramid_images(level)

    def on_iterations(self, level: int, rows: Sequence[IterationRecord], transform: AbstractTransform) -> bool:
        """Add the rows to the table; write the transform of each iteration if asked. Never stops the run."""
        if self._stage.plan.output.write_iteration_info:
            self._add_rows(rows)
        if self._plan.levels[level].write_transform_each_iteration:
            for row in rows:
                if row.parameters is not None:
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
        """Write the level's transform and result image if the map asks for them and it went well."""
        level = self._plan.levels[record.level]
        if record.stop_reason.is_failure:
            return
        if level.write_transform:
            self._stage.write_transform(transform, f".R{record.level}")
        if level.write_result_image:
            self._stage.write_result(transform, f".R{record.level}")

    def _add_rows(self, rows: Sequence[IterationRecord]) -> None:
        """Write `IterationInfo.<i>.R<r>.txt` as it grows, to be followed; the level's first rows begin it."""
        level = self._plan.levels[self._level]
        path = self._stage.folder.path / f"IterationInfo.{self._stage.number}.R{self._level}.txt"
        lines = [*([] if self._has_table else [header_line(level)]), *(row_line(level, row) for row in rows)]
        with output_errors(path):
            if not self._has_table:
                path.unlink(missing_ok=True)
            with path.open("a" if self._has_table else "x", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
        self._has_table = True
        self._stage.folder.note(path)
