"""Small copies of the images and labels of a run, for the viewer's page."""

import base64
import math
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid, Row
from elastix_impact.geometry.image import Image
from elastix_impact.io.image_writing import write_image
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.resample import resample, resample_labels

from .finished_run import FinishedRun
from .slices import identity
from .windows import Window, windows_of

LONGEST = 176
"""Voxels along the longest side of the copies."""

CT_RANGE, CT_STEP = (-1024.0, 2047.0), 3.0
"""HU that copies of CT images keep, in steps: every window can be set."""

BYTE_STEPS = 255
"""Steps of the copies of other images, between robust extremes."""

MARGIN = 0.25
"""How far those extremes lie outside the window, as a share of its width."""

Copy = dict[str, object]


def images_of(run: FinishedRun, fixed: Image, moving: Image, transform: AbstractTransform, grid: Grid) -> list[Copy]:
    """The fixed image, the moving one before and the registered one on `grid`.

    Returns
    -------
    list of dict
        ``name``; ``data``: a gzipped NIfTI file in base64; ``low`` and ``step``: a voxel n means low + n step;
        ``width`` and ``level``: its window; ``window``: what it is called.
    """
    still = identity(grid.dimension)
    ours = resample(fixed, still, grid, 1, float("nan"))
    before = resample(moving, run.initial or still, grid, 1, float("nan"))
    after = resample(moving, transform, grid, 1, float("nan"))
    windows = windows_of((fixed, moving), ([ours], [before, after]))
    return [
        _image("fixed", ours, windows[0], grid),
        _image("moving, before", before, windows[1], grid),
        _image("moving, registered", after, windows[1], grid),
    ]


def _image(name: str, values: Tensor, window: Window, grid: Grid) -> Copy:
    width = window.high - window.low
    if window.is_hounsfield:
        (low, high), step = CT_RANGE, CT_STEP
    else:
        low, high = window.low - MARGIN * width, window.high + MARGIN * width
        step = (high - low) / BYTE_STEPS
    numbers = ((values.nan_to_num(low) - low) / step).round().clamp(0, round((high - low) / step))
    kind = "short" if window.is_hounsfield else "unsigned char"
    return {
        "name": name,
        "data": _nifti(numbers, grid, kind),
        "low": low,
        "step": step,
        "width": width,
        "level": (window.low + window.high) / 2,
        "window": window.name,
    }


def labels_of(run: FinishedRun, transform: AbstractTransform, grid: Grid) -> list[Copy]:
    """The measured structures as numbers 1, 2, ...: those of the fixed image whole, those of the moving one, before
    and after, as shells.
    """
    if run.labels is None or not run.scored_labels:
        return []
    still, (fixed, moving) = identity(grid.dimension), run.labels
    names = torch.tensor(sorted(run.scored_labels))
    found = {
        "fixed": _numbered(fixed, still, grid, names),
        "before": _shell(_numbered(moving, run.initial or still, grid, names)),
        "after": _shell(_numbered(moving, transform, grid, names)),
    }
    return [{"name": name, "data": _nifti(numbers, grid, "unsigned char")} for name, numbers in found.items()]


def _numbered(labels: Image, transform: AbstractTransform, grid: Grid, names: Tensor) -> Tensor:
    values = resample_labels(labels, transform, grid, 0.0)
    place = torch.searchsorted(names, values).clamp(max=len(names) - 1)
    return torch.where(names[place] == values, place + 1, 0)


def _shell(numbers: Tensor) -> Tensor:
    """The voxels of structures (z, y, x) that have a face neighbour of another number; 0 elsewhere."""
    edge = torch.zeros_like(numbers, dtype=torch.bool)
    for axis, size in enumerate(numbers.shape):
        differs = numbers.narrow(axis, 1, size - 1) != numbers.narrow(axis, 0, size - 1)
        edge.narrow(axis, 1, size - 1).logical_or_(differs)
        edge.narrow(axis, 0, size - 1).logical_or_(differs)
    return torch.where(edge, numbers, 0)


def viewer_grid(grid: Grid) -> Grid:
    """The same box with cubic voxels, as few as `LONGEST` allows, none finer than the image's finest."""
    step = max(max(grid.extent) / LONGEST, min(grid.spacing))
    size = tuple(max(1, math.ceil(extent / step)) for extent in grid.extent)
    offset: Row = tuple((old - (n - 1) * step) / 2 for n, old in zip(size, _between_centres(grid)))
    direction = torch.tensor(grid.direction, dtype=torch.float64)
    origin = torch.tensor(grid.origin, dtype=torch.float64) + direction @ torch.tensor(offset, dtype=torch.float64)
    return Grid(size, (step,) * grid.dimension, tuple(origin.tolist()), grid.direction)


def _between_centres(grid: Grid) -> Row:
    return tuple((n - 1) * s for n, s in zip(grid.size, grid.spacing))


def _nifti(numbers: Tensor, grid: Grid, kind: str) -> str:
    """Whole numbers as a file in base64."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "volume.nii.gz"
        write_image(path, numbers.float(), grid, kind, compress=True)
        return base64.b64encode(path.read_bytes()).decode()
