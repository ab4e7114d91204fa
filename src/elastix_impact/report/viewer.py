"""A page to look through the volumes: NiiVue, with small copies of the images inside the page."""

import base64
import json
import math
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Grid, Row
from elastix_impact.geometry.image import Image
from elastix_impact.io.atomic import write_text_whole
from elastix_impact.io.image_writing import write_image
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.resample import resample

from .finished_run import FinishedRun, read_run
from .render import page_environment
from .slices import identity, shade, window

NAME = "viewer.html"
LIBRARY = "niivue-0.69.0.umd.js"
LONGEST = 176
"""Voxels along the longest side of the copies."""


@final
@dataclass(frozen=True)
class Volume:
    """A copy of an image: its name for the reader, and a gzipped NIfTI file in base64."""

    name: str
    data: str


def write_viewer(run_folder: Path, target: Path | None = None) -> Path:
    """Write a page that shows fixed and moving image, before and after, in linked planes and in 3-D.

    It works from the disk, without a network: program and images are in it. The images are 8-bit copies of at most
    `LONGEST` voxels a side.

    Parameters
    ----------
    run_folder
        Where `run` or `register` wrote.
    target
        The file to write; None = `viewer.html` in the folder.

    Raises
    ------
    InputError
        If the folder holds no run, the images are gone, or they are 2-D.
    OutputError
        If the file can't be written.
    """
    target = run_folder / NAME if target is None else target
    run = read_run(run_folder)
    if run.fixed is None or run.moving is None or run.transform is None:
        raise InputError(
            "the volumes can't be shown", where=str(run_folder), expected="a complete run", remedy=" ".join(run.missing)
        )
    if run.fixed.grid.dimension == 2:
        raise InputError("the viewer is for volumes", where=str(run_folder), remedy="The report shows 2-D images whole")
    library = resources.files("elastix_impact.report").joinpath("vendor", LIBRARY).read_text(encoding="utf-8")
    volumes = json.dumps([{"name": one.name, "data": one.data} for one in _volumes(run.fixed, run.moving, run)])
    template = page_environment().get_template("viewer.html.j2")
    title = f"{Path(run.fixed.name).name} and {Path(run.moving.name).name}"
    write_text_whole(target, template.render(title=title, library=library, volumes=volumes))
    return target


def _volumes(fixed: Image, moving: Image, run: FinishedRun) -> tuple[Volume, ...]:
    assert run.transform is not None
    grid = _coarse(fixed.grid)
    still = identity(grid.dimension)
    seen: tuple[tuple[str, Image, AbstractTransform], ...] = (
        ("fixed", fixed, still),
        ("moving, before", moving, run.initial or still),
        ("moving, registered", moving, run.transform),
    )
    values = {name: resample(image, transform, grid, 1, float("nan")) for name, image, transform in seen}
    ours, theirs = window([values["fixed"]]), window([values["moving, before"], values["moving, registered"]])
    return tuple(
        Volume(name, _nifti(shade(one, ours if name == "fixed" else theirs), grid)) for name, one in values.items()
    )


def _coarse(grid: Grid) -> Grid:
    """The same box with cubic voxels, as few as `LONGEST` allows, none finer than the image's finest."""
    step = max(max(grid.extent) / LONGEST, min(grid.spacing))
    size = tuple(max(1, math.ceil(extent / step)) for extent in grid.extent)
    offset: Row = tuple((old - (n - 1) * step) / 2 for n, old in zip(size, _between_centres(grid)))
    direction = torch.tensor(grid.direction, dtype=torch.float64)
    origin = torch.tensor(grid.origin, dtype=torch.float64) + direction @ torch.tensor(offset, dtype=torch.float64)
    return Grid(size, (step,) * grid.dimension, tuple(origin.tolist()), grid.direction)


def _between_centres(grid: Grid) -> Row:
    return tuple((n - 1) * s for n, s in zip(grid.size, grid.spacing))


def _nifti(grey: Tensor, grid: Grid) -> str:
    """Grey values 0 to 1 as a file in base64."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "volume.nii.gz"
        write_image(path, 255 * grey, grid, "unsigned char", compress=True)
        return base64.b64encode(path.read_bytes()).decode()
