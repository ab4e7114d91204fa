"""NIfTI files that ITK can't read well: axes not quite perpendicular, or a twin beside the file."""

import contextlib
import math
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from nibabel.filebasedimages import ImageFileError

from elastix_impact.errors import ImageError

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


def read_leaning(path: Path) -> sitk.Image:
    """A volume with its axes turned to the nearest perpendicular ones (polar decomposition), through nibabel.

    Raises
    ------
    ImageError
        If it can't be read, or the axes lean by more than `LARGEST_REPAIR_DEGREES`.

    Warns
    -----
    InputWarning
        With the size of the repair in degrees.
    """
    try:
        image = cast(Any, nib.load(path))
        data = np.asanyarray(image.dataobj)
        affine = np.asarray(image.affine, dtype=np.float64)
    except (OSError, ValueError, ImageFileError) as error:
        raise ImageError("the image is damaged", where=str(path), remedy="Copy or export the image again") from error
    if data.ndim == 4 and data.shape[3] == 1:
        data = data[..., 0]
    if data.ndim != 3 or data.dtype.kind not in "iuf":
        raise ImageError(
            f"its axes are not perpendicular, and it has shape {data.shape} and type {data.dtype}",
            where=str(path),
            expected="one volume of numbers",
            remedy="Extract one volume first, e.g. with nibabel: image.slicer[..., 0]",
        )
    direction, spacing = _perpendicular(affine[:3, :3], path)
    result = sitk.GetImageFromArray(np.ascontiguousarray(data.T, dtype=data.dtype.newbyteorder("=")))
    result.SetSpacing(spacing.tolist())
    result.SetOrigin((_RAS_TO_LPS @ affine[:3, 3]).tolist())
    result.SetDirection(direction.flatten().tolist())
    return result


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
