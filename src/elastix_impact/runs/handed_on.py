"""A stage that elastix itself runs, through the itk-elastix wheel: files in, files out, under the same names."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

from elastix_impact.geometry.image import Image
from elastix_impact.io.image_writing import write_image
from elastix_impact.io.input_files import file_facts
from elastix_impact.io.itk_elastix import Request, itk_elastix_version, run_itk_elastix
from elastix_impact.io.janitor import cleared_folder
from elastix_impact.io.points import write_points
from elastix_impact.parameters.plan import HandedOnPlan
from elastix_impact.registration.observe import Observer
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points

from .handed_on_files import WRITTEN, initial_file, keep_each_resolution, keep_final, keep_tables
from .stage import Stage

_LEVEL_BEGINS = re.compile(r"Resolution: (\d+)")


@final
@dataclass(frozen=True)
class HandedOnRecord:
    """One map that itk-elastix ran."""

    plan: HandedOnPlan
    version: str
    seconds: float
    transform_file: str | None

    @cached_property
    def map_facts(self) -> dict[str, Any]:
        """What the map was when the stage had run."""
        return file_facts(Path(self.plan.source), alone=True)

    def to_json(self) -> dict[str, Any]:
        """The stage as plain dictionaries."""
        return {
            "engine": f"itk-elastix {self.version}",
            "parameter_map": self.map_facts,
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


def run_handed_on(
    stage: Stage,
    plan: HandedOnPlan,
    *,
    threads: int,
    is_last: bool,
    observers: Sequence[Observer] = (),
) -> HandedOnResult:
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
    for observer in observers:
        observer.on_start(plan, f"itk-elastix {version}")
    with cleared_folder(stage.folder.path, f".stage{stage.number}.") as cleared:
        folder = cleared.path
        # elastix was seen to crash with several metrics on several threads.
        request = _request(stage, plan, folder, threads=1 if plan.several_metrics else threads)
        run_itk_elastix(request, cleared, _listener(stage, observers))
        keep_tables(stage, folder)
        keep_each_resolution(stage, folder)
        transform, name = keep_final(stage, plan, folder, is_last=is_last)
    return HandedOnResult(HandedOnRecord(plan, version, time.perf_counter() - began, name), transform)


def _listener(stage: Stage, observers: Sequence[Observer]) -> Callable[[str], None]:
    """What is done with each line of elastix's log: it goes into the run's, and a new level is told."""

    def listen(line: str) -> None:
        stage.log.info(line)
        match = _LEVEL_BEGINS.fullmatch(line)
        if match is not None:
            for observer in observers:
                observer.on_phase(int(match[1]), "elastix")

    return listen


def _request(stage: Stage, plan: HandedOnPlan, folder: Path, *, threads: int) -> Request:
    """The images go out as the plan sees them: elastix, called as a library, leaves UseDirectionCosines to others."""
    inputs = stage.inputs.seen_by(plan)
    fixed_points, moving_points = inputs.landmarks or (None, None)
    return Request(
        parameter_map=str(Path(plan.source).absolute()),
        dimension=inputs.fixed.grid.dimension,
        fixed=_image_file(folder / "fixed.mha", inputs.fixed),
        moving=_image_file(folder / "moving.mha", inputs.moving),
        output=str(folder),
        folder=str(stage.folder.path),
        fixed_mask=_mask_file(folder / "fixed_mask.mha", inputs.fixed_mask),
        moving_mask=_mask_file(folder / "moving_mask.mha", inputs.moving_mask),
        fixed_points=_points_file(folder / "fixed_points.txt", fixed_points),
        moving_points=_points_file(folder / "moving_points.txt", moving_points),
        initial_transform=initial_file(stage, folder),
        threads=threads,
        parameters=WRITTEN | {"RandomSeed": str(plan.random_seed)},
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
