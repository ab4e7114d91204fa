"""Carrying labels and points to the other image once the registration is known, and writing them."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import ElastixImpactError, InputError, OutputError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.io.image_writing import write_image
from elastix_impact.io.points import Landmarks, write_points
from elastix_impact.io.warning import InputWarning
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.inverse import solve_inverse
from elastix_impact.transforms.resample import resample_labels
from elastix_impact.typing import Points

from .carried_file import CarriedFile
from .inputs import CarriedInputs

LABELS_STEM, FIXED_STEM, MOVING_STEM = "moved_labels", "fixed_points_in_moving", "moving_points_in_fixed"

_IMAGE_SUFFIXES = (".seg.nrrd", ".mha", ".mhd", ".nii", ".nii.gz", ".nrrd", ".nhdr")
"""Formats that hold labels exactly, and where they lie."""
_POINT_SUFFIXES = (".mrk.json", ".json", ".fcsv", ".csv")
_FAILURES = (ElastixImpactError, RuntimeError, ValueError, MemoryError)


@final
@dataclass(frozen=True)
class Frames:
    """Grids of both images as they were read, and as the transform sees them."""

    fixed: Grid
    moving: Grid
    seen_fixed: Grid
    seen_moving: Grid


def propagate(
    carried: CarriedInputs,
    frames: Frames,
    transform: AbstractTransform | None,
    out: Path,
    *,
    label_names: Mapping[int, str],
    moved: Tensor | None,
    note: Callable[[Path], object],
) -> list[CarriedFile]:
    """Write what is to be carried along into the folder `out`; each file whole or not at all.

    Parameters
    ----------
    transform
        The result, from fixed to moving world points in mm of the frames that it sees; None if it is of a kind that
        can't be applied here.
    moved
        The moving labels on the fixed image's grid, if they are known.
    note
        Told each file that was written.

    Raises
    ------
    OutputError
        If one can't be computed or written; the others are there.

    Warns
    -----
    InputWarning
        With the points that have no inverse: they are left out.
    """
    work = _Work(frames, transform, out, note)
    tasks: list[tuple[str, Callable[[], CarriedFile]]] = []
    if (labels := carried.moving_labels) is not None:
        tasks.append(("moving labels", lambda: work.move_labels(labels, moved, label_names)))
    if (fixed := carried.fixed_points) is not None:
        tasks.append(("fixed points", lambda: work.map_fixed(fixed)))
    if (moving := carried.moving_points) is not None:
        tasks.append(("moving points", lambda: work.map_moving(moving)))
    written: list[CarriedFile] = []
    faults: list[str] = []
    for what, task in tasks:
        try:
            written.append(task())
        except _FAILURES as error:
            faults.append(f"the {what} could not be carried to the other image: {error}".rstrip("."))
    if faults:
        raise OutputError(
            "; ".join(faults),
            where=str(out),
            remedy="The transform is written: remove the cause, and apply it",
        )
    return written


@final
@dataclass(frozen=True, eq=False)
class _Work:
    """Where the pair lies, the transform, and where files go."""

    frames: Frames
    transform: AbstractTransform | None
    out: Path
    note: Callable[[Path], object]

    @property
    def known(self) -> AbstractTransform:
        """The transform; raises InputError if there is none."""
        if self.transform is None:
            raise InputError(
                "the transform of the last stage is of a kind that can't be applied here",
                remedy="Apply TransformParameters with elastix's transformix",
            )
        return self.transform

    def move_labels(self, labels: Image, moved: Tensor | None, names: Mapping[int, str]) -> CarriedFile:
        """The moving labels at the voxels of the fixed image, in their own pixel type."""
        if moved is None:
            as_read = self.frames.seen_moving == self.frames.moving
            turned = labels if as_read else labels.without_direction()
            moved = resample_labels(turned, self.known, self.frames.seen_fixed, 0.0)
        source = Path(labels.name)
        path = self.out / f"{LABELS_STEM}{_suffix(source, _IMAGE_SUFFIXES, '.mha')}"
        write_image(path, moved, self.frames.fixed, labels.pixel_type, compress=True)
        kept = set(moved.unique().tolist()) - {0}
        gone = sorted(set(labels.data.unique().tolist()) - kept - {0})
        called = tuple(f"{label} {names[label]}" if label in names else str(label) for label in gone)
        self.note(path)
        return CarriedFile("moving labels", path.name, source.name, len(kept), called)

    def map_fixed(self, points: Landmarks) -> CarriedFile:
        """The fixed points in the moving image."""
        here = _between(points.world_points, self.frames.fixed, self.frames.seen_fixed)
        there = self.known.to(torch.float64).without_gradients().map_points(here)
        mapped = _between(there, self.frames.seen_moving, self.frames.moving)
        path = self._write(FIXED_STEM, points.source, mapped, points.labels)
        return CarriedFile("fixed points", path.name, Path(points.source).name, len(mapped))

    def map_moving(self, points: Landmarks) -> CarriedFile:
        """The moving points in the fixed image, where the transform has an inverse."""
        here = _between(points.world_points, self.frames.moving, self.frames.seen_moving)
        inversion = solve_inverse(self.known, here)
        failed = inversion.failed.tolist()
        called = points.labels or tuple(f"point {number}" for number in range(1, len(failed) + 1))
        lost = tuple(name for name, is_lost in zip(called, failed) if is_lost)
        if lost:
            warnings.warn(
                f"{len(lost)} of {len(failed)} points of {points.source} have no inverse and are left out: "
                f"{', '.join(lost)} (the transform folds there, or nothing is mapped there)",
                InputWarning,
                stacklevel=2,
            )
        if len(lost) == len(failed):
            raise InputError("none of them has an inverse", where=points.source)
        there = inversion.world_points[~inversion.failed]
        mapped = _between(there, self.frames.seen_fixed, self.frames.fixed)
        kept = points.labels and [name for name, is_lost in zip(points.labels, failed) if not is_lost]
        path = self._write(MOVING_STEM, points.source, mapped, kept)
        residual = float(inversion.residual[~inversion.failed].max())
        return CarriedFile("moving points", path.name, Path(points.source).name, len(mapped), lost, residual)

    def _write(self, stem: str, source: str, points: Points, labels: "tuple[str, ...] | list[str] | None") -> Path:
        path = self.out / f"{stem}{_suffix(Path(source), _POINT_SUFFIXES, Path(source).suffix or '.txt')}"
        write_points(path, points, labels)
        self.note(path)
        return path


def _between(world_points: Points, here: Grid, there: Grid) -> Points:
    """The points, in mm, that lie at the same voxels of another grid."""
    return world_points if here == there else there.to_world(here.to_index(world_points))


def _suffix(source: Path, known: tuple[str, ...], otherwise: str) -> str:
    """The end of a file's name that says its format."""
    name = source.name.lower()
    return max((suffix for suffix in known if name.endswith(suffix)), key=len, default=otherwise)
