"""Where the values of a map lead: a map that came with somebody's data may write into the run's folder only."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from elastix_impact.errors import ParameterMapError
from elastix_impact.parameters.plan import HandedOnPlan, StagePlan
from elastix_impact.parameters.raw import RawParameterMap


def check_inside(raw_maps: Sequence[RawParameterMap], stages: Sequence[StagePlan], out: Path) -> None:
    """Refuse maps whose values name places outside the folder `out`, links followed, before anything is written.

    Raises
    ------
    ParameterMapError
        Naming the line and the place.
    """
    folder = out.resolve()
    for raw, stage in zip(raw_maps, stages):
        for name, value, written in _places(stage):
            control = not value.isprintable()
            if not control and (folder / written).resolve().is_relative_to(folder):
                continue
            raise ParameterMapError(
                f'{name} "{value}" holds control characters' if control
                else f'{name} "{value}" would write outside the output folder {out}',
                where=_line(raw, name),
                expected="a plain name",
                remedy="Write a name without folders; `register` and `elastix` take such maps with --allow-outside",
            )  # fmt: skip


def _places(stage: StagePlan) -> Iterator[tuple[str, str, str]]:
    """Each value of a map that becomes the name of a file or folder: its parameter, itself, and a name made of it."""
    name = stage.output.result_image_name
    yield "ResultImageName", name, f"{name}.0.{stage.output.result_image_format}"
    extension = stage.output.itk_transform_extension or ""
    yield "ITKTransformOutputFileNameExtension", extension, f"TransformParameters.0.{extension}"
    for level in () if isinstance(stage, HandedOnPlan) else stage.levels:
        for metric in level.impact_metrics:
            directory = metric.feature_maps_directory
            if directory is not None:
                yield "ImpactFeatureMapOutputDirectory", directory, directory


def _line(raw: RawParameterMap, name: str) -> str:
    """Where a parameter stands; level numbers and old spellings may have been added to its name."""
    spellings = (name, f"{name}0", "ImpactWriteFeatureMaps" if name.startswith("Impact") else name)
    return f"{raw.source}:{next((line for one in spellings if (line := raw.line(one))), 0)}"
