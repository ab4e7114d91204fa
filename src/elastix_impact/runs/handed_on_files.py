"""What a stage that elastix ran leaves in the run's folder: elastix's files, under the stage's number."""

import re
from dataclasses import replace
from pathlib import Path

from elastix_impact.errors import TransformFileError
from elastix_impact.io.images import read_image
from elastix_impact.io.transform_file import read_transform_file
from elastix_impact.parameters.plan import HandedOnPlan
from elastix_impact.staging.folder import RunFolder
from elastix_impact.transforms.base import AbstractTransform

from .stage import Stage
from .transform_files import TransformFiles

RESULT_NAME = "result"

WRITTEN = {
    "WriteFinalTransformParameters": "true",
    "OutputTransformParameterFileFormat": "",
    "ITKTransformOutputFileNameExtension": "",
    "WriteIterationInfo": "true",
    "ResultImageName": RESULT_NAME,
    "ResultImageFormat": "mha",
    "ResultImagePixelType": "float",
}
"""How elastix writes what is kept; the map's own wishes are seen to when it is written again."""

_INITIAL = re.compile(r'\(InitialTransformParameterFileName "[^"]*"\)')


def initial_file(stage: Stage, folder: Path) -> str | None:
    """The file of what comes before the stage, in elastix's text form: the run's, or one made in `folder`."""
    if stage.initial is None:
        return None
    name = stage.initial_file
    if name is not None and name.endswith(".txt"):
        return str(stage.folder.path / name)
    plan = replace(stage.plan, output=replace(stage.plan.output, transform_file_format="txt"))
    files = TransformFiles(RunFolder(folder), plan, stage.inputs.fixed.grid)
    return str(folder / files.write_initial(stage.initial))


def keep_tables(stage: Stage, folder: Path) -> None:
    """Keep the iteration tables if the map asks for them."""
    if stage.plan.output.write_iteration_info:
        for table in sorted(folder.glob("IterationInfo.0.R*.txt")):
            stage.folder.write_text(_renumbered(stage, table.name), table.read_text(encoding="utf-8"))


def keep_each_resolution(stage: Stage, folder: Path) -> None:
    """Keep the transforms and images of levels and iterations, which elastix writes if the map asks for them."""
    for path in sorted(folder.glob("TransformParameters.0.R*.txt")):
        _keep_text(stage, path)
    for path in sorted(folder.glob(f"{RESULT_NAME}.0.R*.mha")):
        infix = path.name.removeprefix(f"{RESULT_NAME}.0").removesuffix(".mha")
        stage.write_result_values(read_image(path).data, infix)


def keep_final(
    stage: Stage, plan: HandedOnPlan, folder: Path, *, is_last: bool
) -> tuple[AbstractTransform | None, str | None]:
    """The whole transform, None if it can't be read here, and the name of its file, None if the map asks for none.

    Raises
    ------
    TransformFileError
        If it can't be read here and another stage follows.
    """
    written = folder / "TransformParameters.0.txt"
    try:
        current = read_transform_file(written).transform
    except TransformFileError as error:
        if is_last:
            return None, _keep_raw(stage, written, folder)
        raise TransformFileError(
            f"{', '.join(plan.components)} gives a transform that the next map can't start from: {error.what}",
            where=plan.source,
            remedy="Make this the last map of the chain",
        ) from error
    return stage.whole(current), stage.write_final(current)


def _keep_raw(stage: Stage, written: Path, folder: Path) -> str | None:
    """Keep elastix's own transform and result image, as far as the map asks for them; returns the file's name."""
    output = stage.plan.output
    image = folder / f"{RESULT_NAME}.0.mha"
    if output.write_result_image and image.is_file():
        stage.write_result_values(read_image(image).data)
    return _keep_text(stage, written) if output.write_final_transform else None


def _keep_text(stage: Stage, path: Path) -> str:
    """Copy a transform file, with the name that what comes before it has in the run's folder; returns its name."""
    initial = stage.initial_file or "NoInitialTransform"
    line = f'(InitialTransformParameterFileName "{initial}")'
    name = _renumbered(stage, path.name)
    stage.folder.write_text(name, _INITIAL.sub(lambda _: line, path.read_text(encoding="utf-8")))
    return name


def _renumbered(stage: Stage, name: str) -> str:
    return name.replace(".0.", f".{stage.number}.", 1)
