"""Whole image files as SimpleITK has them: what came is held against what the header promises."""

import difflib
import math
import os
import warnings
from pathlib import Path

import SimpleITK as sitk

from elastix_impact.errors import ImageError

from .dicom import read_series
from .formats import KNOWN_SUFFIXES, essence, library_chatter_off
from .headers.check import check_header
from .headers.header import Header, damaged
from .nifti import is_nifti, read_leaning, without_twin
from .warning import InputWarning

_CAREFUL_READERS = ("PNGImageIO", "GDCMImageIO", "HDF5ImageIO", "MINCImageIO", "JPEGImageIO")
"""ITK's readers that notice by themselves what lacks of a file; JPEG is looked at before."""


def read_file(path: Path) -> sitk.Image:
    """The image in a file or a DICOM folder as SimpleITK has it, whatever its voxels.

    Raises
    ------
    ImageError
        If it is missing or damaged, holds less than it promises, or NaN or infinite voxels that ITK would hide.

    Warns
    -----
    InputWarning
        If NIfTI's axes had to be repaired, or its header is ambiguous about the image's place.
    """
    if os.path.isdir(path):  # Path.is_dir raises where a parent may not be entered
        return read_series(path)
    header = check_file(path)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    if header is None:
        _check_reader(path)
    elif header.non_finite:
        raise not_finite(header.non_finite, header.count, path)
    with without_twin(path) as alone:
        try:
            image = _read(alone)
        except RuntimeError as error:
            if not (is_nifti(path) and "orthonormal" in str(error)):
                raise damaged(path, essence(error)) from error
            image = read_leaning(path, _read)
    if header is not None:
        _check_came(image, header, path)
    return image


def _read(path: Path) -> sitk.Image:
    with library_chatter_off():
        return sitk.ReadImage(str(path))


def check_file(path: Path, what: str = "image") -> Header | None:
    """Refuse a file, called `what`, that is missing, closed to us, empty or not whole; what its header says.

    Raises
    ------
    ImageError
        With what is wrong.
    """
    try:
        if not path.exists():
            raise ImageError(f"no such {what}", where=str(path), remedy=_near_names(path))
        if path.stat().st_size == 0:
            raise ImageError("the file is empty", where=str(path), remedy="Copy or export the image again")
        with path.open("rb"):
            return check_header(path)
    except OSError as error:
        raise ImageError(
            f"the file can't be read: {error.strerror or error}", where=str(path), remedy="Check its permissions"
        ) from error


def not_finite(bad: int, count: int, path: Path) -> ImageError:
    """The error for voxels that are NaN or infinite."""
    return ImageError(
        f"{bad} of {count} voxels are NaN or infinite",
        where=str(path),
        remedy="Replace them, e.g. by the value of air or by 0",
    )


def _near_names(path: Path) -> str:
    if not path.parent.is_dir():
        return f"The folder {path.parent} does not exist either"
    names = [entry.name for entry in path.parent.iterdir()]
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(near)}?" if near else "Check the path"


def _check_reader(path: Path) -> None:
    """Refuse a format that none reads, or whose reader would fill up with zeros what lacks."""
    with library_chatter_off():
        reader = sitk.ImageFileReader.GetImageIOFromFileName(str(path))
    if reader in _CAREFUL_READERS:
        return
    if path.name.lower().endswith(KNOWN_SUFFIXES):
        raise damaged(path, "it does not begin as its name says")
    raise ImageError(
        f"{reader} does not notice where voxels are missing" if reader else "not an image that can be read",
        where=str(path),
        expected="one of " + " ".join(KNOWN_SUFFIXES),
        remedy="Convert it first",
    )


def _check_came(image: sitk.Image, header: Header, path: Path) -> None:
    """Refuse an image of another size than its header says; tell what is ambiguous."""
    voxels = math.prod(image.GetSize())
    if header.count not in (voxels, voxels * image.GetNumberOfComponentsPerPixel()):
        raise damaged(path, f"{voxels} voxels came of {header.count} that its header promises")
    for note in header.notes:
        warnings.warn(f"{path}: {note}", InputWarning, stacklevel=4)
    if header.untold:
        warnings.warn(
            f"{path}: its file says {' and '.join(header.untold)}: voxels are taken to lie "
            f"{' x '.join(f'{s:.4g}' for s in image.GetSpacing())} mm apart, from "
            f"({', '.join(f'{o:.4g}' for o in image.GetOrigin())}) on. Save it as .mha or .nii.gz with its place",
            InputWarning,
            stacklevel=4,
        )
