"""NIfTI files that ITK can't read well, through nibabel: axes not quite perpendicular, or a twin beside the file."""

import math
import warnings
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


def has_twin(path: Path) -> bool:
    """Whether both ``name.nii`` and ``name.nii.gz`` are there: ITK then mixes one's header with the other's voxels."""
    twin = path.with_suffix("") if path.name.lower().endswith(".gz") else path.with_name(path.name + ".gz")
    return twin.is_file()


def is_nifti(path: Path) -> bool:
    """Whether the name says NIfTI."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def check_complete(path: Path) -> None:
    """Refuse an uncompressed NIfTI file that is shorter than its header says; ITK would read zeros for the rest."""
    try:
        data = cast(Any, nib.load(path)).dataobj
        wanted = data.offset + math.prod(data.shape) * data.dtype.itemsize
    except (OSError, ValueError, AttributeError, ImageFileError):
        return
    if path.stat().st_size < wanted:
        raise ImageError(
            f"the image is damaged: it has {path.stat().st_size} bytes of {wanted}",
            where=str(path),
            remedy="Copy or export the image again",
        )


def read_with_nibabel(path: Path) -> sitk.Image:
    """The image with its axes turned to the nearest perpendicular ones (polar decomposition).

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
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    axes = np.diag([-1.0, -1.0, 1.0]) @ affine[:3, :3] / spacing
    left, _, right = np.linalg.svd(axes)
    direction = left @ right
    leaning = math.degrees(math.acos(min(1.0, float((direction * axes).sum(axis=0).min()))))
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
            stacklevel=4,
        )
    dimension = min(data.ndim, 3)
    result = sitk.GetImageFromArray(np.ascontiguousarray(data.T))
    if dimension == 3 and data.ndim == 3:
        result.SetSpacing([float(s) for s in spacing])
        result.SetOrigin((np.diag([-1.0, -1.0, 1.0]) @ affine[:3, 3]).tolist())
        result.SetDirection(direction.flatten().tolist())
    return result
