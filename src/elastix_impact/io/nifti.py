"""NIfTI files that ITK can't read well: axes not quite perpendicular, or a twin beside the file."""

import contextlib
import math
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from elastix_impact.errors import ImageError

from .headers.nifti import NiftiHeader, parse_nifti, without_codes
from .headers.streams import unpacked
from .warning import InputWarning

LARGEST_REPAIR_DEGREES = 5.0
"""Axes that lean by more are sheared, not rounded, and an image on them would be distorted."""


SMALLEST_REPAIR_DEGREES = 1e-3
"""Below this it is rounding, and not worth a word."""

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])


def is_nifti(path: Path) -> bool:
    """Whether the name says NIfTI."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


@contextlib.contextmanager
def without_twin(path: Path) -> Iterator[Path]:
    """A name of the file in a folder where it is alone, if ``name.nii`` and ``name.nii.gz`` are both there.

    ITK mixes the header of one with the voxels of the other. The path itself if there is no such twin.
    """
    twin = path.with_suffix("") if path.name.lower().endswith(".gz") else path.with_name(path.name + ".gz")
    if not (is_nifti(path) and twin.is_file()):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / path.name
        try:
            alone.symlink_to(path.resolve())
        except OSError:
            shutil.copyfile(path, alone)
        yield alone


def read_leaning(path: Path, read: Callable[[Path], sitk.Image]) -> sitk.Image:
    """A volume with its axes turned to the nearest perpendicular ones (polar decomposition).

    Parameters
    ----------
    path
        A file that ITK refuses because its axes lean.
    read
        How sound files are read. It gets a copy whose header has no axes, so that all else is read as ever.

    Raises
    ------
    ImageError
        If it can't be read, is no volume, or the axes lean by more than `LARGEST_REPAIR_DEGREES`.

    Warns
    -----
    InputWarning
        With the size of the repair in degrees.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.nii"
        nifti = _copy_without_axes(path, copy)
        image = read(copy)
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[..., 0]
    if image.GetDimension() != 3:
        raise ImageError(
            f"its axes are not perpendicular, and it has size {image.GetSize()}",
            where=str(path),
            expected="one volume of numbers",
            remedy="Extract one volume first, e.g. with nibabel: image.slicer[..., 0]",
        )
    affine = np.asarray(nifti.places.rows, dtype=np.float64).reshape(3, 4) * nifti.places.unit_mm
    direction, spacing = _perpendicular(affine[:, :3], path)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin((_RAS_TO_LPS @ affine[:, 3]).tolist())
    image.SetDirection(direction.flatten().tolist())
    return image


def _copy_without_axes(path: Path, copy: Path) -> NiftiHeader:
    """Copy a file, unpacked, without its sform and qform; what its header said."""
    with unpacked(path, "gzip" if path.name.lower().endswith(".gz") else "raw") as source, copy.open("wb") as target:
        head = source.read(540)
        nifti = parse_nifti(head, path)
        target.write(without_codes(head, nifti))
        shutil.copyfileobj(source, target)
    return nifti


def _perpendicular(axes_ras: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Directions (3, 3) in LPS and spacing (3,) in mm nearest to the columns of `axes_ras` in mm."""
    spacing = np.linalg.norm(axes_ras, axis=0)
    if not (np.isfinite(axes_ras).all() and spacing.min() > 0):
        raise ImageError(
            f"its header has no usable axes: {axes_ras.round(6).tolist()}",
            where=str(path),
            expected="three directions that are neither zero nor NaN",
            remedy="Correct its sform and qform, or export the image again",
        )
    axes = _RAS_TO_LPS @ axes_ras / spacing
    left, _, right = np.linalg.svd(axes)
    direction = left @ right
    cosine = float((direction * axes).sum(axis=0).min())
    leaning = math.degrees(math.acos(min(1.0, max(-1.0, cosine))))
    if leaning > LARGEST_REPAIR_DEGREES:
        raise ImageError(
            f"its axes lean by up to {leaning:.1f} degrees: the image is sheared",
            where=str(path),
            expected="perpendicular axes",
            remedy="Resample it onto a regular grid first",
        )
    if leaning > SMALLEST_REPAIR_DEGREES:
        warnings.warn(
            f"{path}: its axes are not perpendicular; they were turned by up to {leaning:.4f} degrees",
            InputWarning,
            stacklevel=5,
        )
    return direction, spacing
