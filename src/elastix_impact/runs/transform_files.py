"""Transform parameter files of a run, self-contained: an initial transform is written beside them.

Each file names the one before it by its bare name, so that the folder can be moved, and read outside the container
that made it; transformix looks beside the file that names it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import final

from elastix_impact.errors import TransformFileError
from elastix_impact.geometry.grid import Grid
from elastix_impact.io.itk_transform import write_itk_transform
from elastix_impact.io.transform_file import ResampleSettings, TransformRecord, write_transform_file
from elastix_impact.parameters.plan import Combination, StagePlan
from elastix_impact.staging.folder import RunFolder
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.composite import CompositeTransform


@final
@dataclass(frozen=True, eq=False)
class TransformFiles:
    """Writes transforms of fixed points on `fixed_grid` into a run's folder, as one plan asks."""

    folder: RunFolder
    plan: StagePlan
    fixed_grid: Grid

    def write(self, stem: str, current: AbstractTransform, whole: AbstractTransform, initial: str | None) -> str:
        """Write `<stem>.txt` (or .toml) and the ITK exports that the plan asks for; returns the file's name.

        Parameters
        ----------
        current
            What the file holds.
        whole
            `current` with all that comes before it, for the composite export.
        initial
            Name of the file of what comes before, in the same folder, or None.
        """
        extension = self.plan.output.itk_transform_extension
        exported = None if extension is None else f"{stem}.{extension}"
        if exported is not None:
            self._export(exported, current)
        if self.plan.output.write_itk_composite and extension is not None:
            self._export(f"{stem}-Composite.{extension}", whole)
        return self._write(stem, current, initial, self.plan.how_to_combine_transforms, exported)

    def write_initial(self, transform: AbstractTransform) -> str:
        """Write an initial transform as `InitialTransform.<k>.txt`, a chain as several; returns the last one's name."""
        first: str | None = None
        links = _chain(transform)
        for k, (link, combination) in enumerate(links):
            first = self._write(f"InitialTransform.{k}", link, first, combination, None)
        assert first is not None
        return first

    def _write(
        self,
        stem: str,
        transform: AbstractTransform,
        initial: str | None,
        combination: Combination,
        exported: str | None,
    ) -> str:
        output = self.plan.output
        record = TransformRecord(
            transform=transform,
            initial=None if initial is None else Path(initial),
            combination=combination,
            fixed_grid=self.fixed_grid,
            use_direction_cosines=self.plan.use_direction_cosines,
            fixed_pixel_type=self.plan.fixed_internal_pixel_type,
            moving_pixel_type=self.plan.moving_internal_pixel_type,
            exported_file=None if exported is None else Path(exported),
            resample=ResampleSettings(
                interpolation_order=output.resample_interpolation_order,
                default_pixel_value=output.default_pixel_value,
                image_format=output.result_image_format,
                pixel_type=output.result_image_pixel_type,
                compress=output.compress_result_image,
            ),
        )
        path = self.folder.path / f"{stem}.{output.transform_file_format}"
        write_transform_file(path, record)
        self.folder.note(path)
        return path.name

    def _export(self, name: str, transform: AbstractTransform) -> None:
        path = self.folder.path / name
        write_itk_transform(path, transform)
        self.folder.note(path)


def _chain(transform: AbstractTransform) -> list[tuple[AbstractTransform, Combination]]:
    """The links of a chain, first applied first, each with how it combines with all those before it."""
    if not isinstance(transform, CompositeTransform):
        return [(transform, "Compose")]
    lower, (first, _), *upper = _chain(transform.initial), *_chain(transform.current)
    if upper and {transform.combination, *(combination for _, combination in upper)} != {"Compose"}:
        raise TransformFileError(
            "this initial transform adds transforms inside a chain, which elastix files can't express",
            where="initial transform",
            expected="a chain of composed transforms",
            remedy="Give the transforms as elastix parameter files that name each other",
        )
    return [*lower, (first, transform.combination), *upper]
