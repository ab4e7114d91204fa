"""A stage that elastix itself runs, through the itk-elastix wheel: files in, files out, under the same names."""

import contextlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from elastix_impact.errors import TransformFileError
from elastix_impact.geometry.image import Image
from elastix_impact.io.image_writing import write_image
from elastix_impact.io.itk_elastix import Request, itk_elastix_version, run_itk_elastix
from elastix_impact.io.points import write_points
from elastix_impact.io.transform_file import read_transform_file
from elastix_impact.parameters.plan import HandedOnPlan
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points

from .record import file_facts
from .stage import Stage


@final
@dataclass(frozen=True)
class HandedOnRecord:
    """One map that itk-elastix ran."""

    plan: HandedOnPlan
    version: str
    seconds: float
    transform_file: str | None

    def to_json(self) -> dict[str, Any]:
        """The stage as plain dictionaries."""
        return {
            "engine": f"itk-elastix {self.version}",
            "parameter_map": file_facts(Path(self.plan.source)),
            "because_of": list(self.plan.components),
            "seconds": {"total": self.seconds},
            "transform_file": self.transform_file,
            "plan": self.plan.to_json(),
        }


@final
@dataclass(frozen=True, eq=False)
class HandedOnResult:
    """What came of a stage; `transform` is the whole map so far, None if its kind can't be read here."""

    record: HandedOnRecord
    transform: AbstractTransform | None


def run_handed_on(stage: Stage, plan: HandedOnPlan, *, seed: int | None, threads: int, is_last: bool) -> HandedOnResult:
    """Run `plan` with itk-elastix as `stage` and put its files into the run's folder.

    Raises
    ------
    InputError
        If itk-elastix is not installed.
    RegistrationFailedError
        If it fails.
    TransformFileError
        If its transform is of a kind that can't be read here and another stage follows.
    """
    version = itk_elastix_version(plan.source, ", ".join(plan.components))
    began = time.perf_counter()
    stage.log.info(f"Handed on to itk-elastix {version} because of {', '.join(plan.components)}")
    with _working_folder(stage) as folder:
        # elastix was seen to crash with several metrics on several threads.
        request = _request(stage, plan, folder, seed=seed, threads=1 if plan.several_metrics else threads)
        stage.log.info(run_itk_elastix(request).rstrip())
        _keep_tables(stage, folder)
        transform, name = _keep_transform(stage, plan, folder, is_last=is_last)
    return HandedOnResult(HandedOnRecord(plan, version, time.perf_counter() - began, name), transform)


@contextlib.contextmanager
def _working_folder(stage: Stage) -> Iterator[Path]:
    """A folder for elastix's files inside the run's, removed whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix=f".stage{stage.number}.", dir=stage.folder.path)).absolute()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _request(stage: Stage, plan: HandedOnPlan, folder: Path, *, seed: int | None, threads: int) -> Request:
    inputs = stage.inputs
    fixed_points, moving_points = inputs.landmarks or (None, None)
    initial = None if stage.initial_file is None else str((stage.folder.path / stage.initial_file).absolute())
    return Request(
        parameter_map=str(Path(plan.source).absolute()),
        fixed=_image_file(folder / "fixed.mha", inputs.fixed),
        moving=_image_file(folder / "moving.mha", inputs.moving),
        output=str(folder),
        folder=str(stage.folder.path.absolute()),
        fixed_mask=_mask_file(folder / "fixed_mask.mha", inputs.fixed_mask),
        moving_mask=_mask_file(folder / "moving_mask.mha", inputs.moving_mask),
        fixed_points=_points_file(folder / "fixed_points.txt", fixed_points),
        moving_points=_points_file(folder / "moving_points.txt", moving_points),
        initial_transform=initial,
        seed=seed,
        threads=threads,
    )


def _image_file(path: Path, image: Image) -> str:
    write_image(path, image.data, image.grid, pixel_type="float", compress=False)
    return str(path)


def _mask_file(path: Path, mask: Image | None) -> str | None:
    if mask is None:
        return None
    write_image(path, mask.data, mask.grid, pixel_type="unsigned char", compress=False)
    return str(path)


def _points_file(path: Path, points: Points | None) -> str | None:
    if points is None:
        return None
    write_points(path, points)
    return str(path)


def _keep_tables(stage: Stage, folder: Path) -> None:
    """Keep the iteration tables under this stage's number."""
    if not stage.plan.output.write_iteration_info:
        return
    for table in sorted(folder.glob("IterationInfo.0.R*.txt")):
        name = table.name.replace("IterationInfo.0.", f"IterationInfo.{stage.number}.")
        stage.folder.write_text(name, table.read_text(encoding="utf-8"))


def _keep_transform(
    stage: Stage, plan: HandedOnPlan, folder: Path, *, is_last: bool
) -> tuple[AbstractTransform | None, str | None]:
    """The whole transform, if it can be read here, and its file: ours then, else elastix's own and its image."""
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


def _keep_raw(stage: Stage, written: Path, folder: Path) -> str:
    """Keep elastix's own transform file and result image under this stage's number; returns the file's name."""
    initial = stage.initial_file or "NoInitialTransform"
    text = re.sub(
        r'\(InitialTransformParameterFileName "[^"]*"\)',
        lambda _: f'(InitialTransformParameterFileName "{initial}")',
        written.read_text(encoding="utf-8"),
    )
    name = f"TransformParameters.{stage.number}.txt"
    stage.folder.write_text(name, text)
    output = stage.plan.output
    if output.write_result_image:
        result = stage.folder.path / f"{output.result_image_name}.{stage.number}.mha"
        (folder / "warped.mha").replace(result)
        stage.folder.note(result)
    return name
