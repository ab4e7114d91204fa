"""Images from files; `write_image` is the way back."""

import difflib
import math
import os
import warnings
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor

from elastix_impact.errors import ImageError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image

from .dicom import read_series
from .formats import KNOWN_SUFFIXES, essence, library_chatter_off, missing_part
from .image_writing import write_image
from .nifti import is_nifti, read_leaning, without_twin
from .pixels import is_colour, is_complex, pixel_type_of
from .scale import length_unit_of, resolution_words
from .warning import InputWarning

__all__ = ["check_file", "grid_of", "read_file", "read_image", "read_labels", "write_image"]

_LUMINANCE = (0.299, 0.587, 0.114)


def read_image(path: Path, *, allow_constant: bool = False) -> Image:
    """The scalar image in a file, or in a folder of DICOM slices.

    Parameters
    ----------
    path
        MetaImage, NIfTI, NRRD, PNG, JPEG or TIFF file, or a folder with a DICOM series.
    allow_constant
        Whether all voxels may have the same value (masks, labels).

    Returns
    -------
    Image
        float32, axes (z, )y, x, with the file's own geometry in ITK's LPS frame. Colour is turned into luminance, with
        a warning. NIfTI files whose axes are not quite perpendicular are repaired, with a warning. `pixel_type` is that
        of the file's voxels.

    Raises
    ------
    ImageError
        If it is missing, damaged, no scalar image of 2 or 3 dimensions, constant, or holds NaN or infinite voxels.

    Warns
    -----
    InputWarning
        If colour was converted, axes were repaired, a picture (no mask) has no real scale, or of a DICOM folder see
        `dicom.read_series`.
    """
    path = Path(path)
    itk_image = read_file(path)
    data, grid = _scalar(itk_image, path)
    tensor = torch.from_numpy(np.ascontiguousarray(data, dtype=np.float32))
    _check_values(tensor, path, allow_constant=allow_constant)
    image = Image(tensor, grid, str(path), pixel_type_of(itk_image))
    if not allow_constant:
        _tell_missing_scale(image)
    return image


def read_pair(fixed: Path, moving: Path) -> tuple[Image, Image]:
    """The images of two files, without their warnings: a run reads them again, and says it then.

    Raises
    ------
    ImageError
        If one can't be read, or they differ in dimension.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = read_image(fixed), read_image(moving)
    dimensions = [image.grid.dimension for image in images]
    if dimensions[0] != dimensions[1]:
        raise ImageError(
            f"the fixed image has {dimensions[0]} dimensions, the moving image {moving} has {dimensions[1]}",
            where=str(fixed),
            remedy="Give a volume with a volume, or a slice with a slice",
        )
    return images


def _tell_missing_scale(image: Image) -> None:
    """Warn of a picture whose pixels have no real size."""
    unit = length_unit_of(image)
    if unit.name == "px":
        warnings.warn(
            f"{image.name}: its pixels have no real size ({resolution_words(unit.size_mm)}): results are told in "
            f"pixels, and parameter maps count a pixel as {unit.size_mm:.3g} mm. Is the size known, save the picture "
            "as .mha with its spacing",
            InputWarning,
            stacklevel=3,
        )


def read_labels(path: Path) -> Image:
    """The label image in a file: int64, every value as it is in the file (float64 if the file's are fractions).

    Raises
    ------
    ImageError
        As `read_image` does.
    """
    path = Path(path)
    itk_image = read_file(path)
    data, grid = _scalar(itk_image, path)
    kind = np.int64 if np.issubdtype(data.dtype, np.integer) else np.float64
    tensor = torch.from_numpy(np.ascontiguousarray(data, dtype=kind))
    _check_values(tensor, path, allow_constant=True)
    return Image(tensor, grid, str(path), pixel_type_of(itk_image))


def read_file(path: Path) -> sitk.Image:
    """The image in a file or a DICOM folder as SimpleITK has it, whatever its voxels; raises ImageError."""
    if os.path.isdir(path):  # Path.is_dir raises where a parent may not be entered
        return read_series(path)
    check_file(path)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        with without_twin(path) as alone, library_chatter_off():
            return sitk.ReadImage(str(alone))
    except RuntimeError as error:
        if is_nifti(path) and "orthonormal" in str(error):
            return read_leaning(path)
        if not path.name.lower().endswith(KNOWN_SUFFIXES):
            raise ImageError(
                "not an image that can be read",
                where=str(path),
                expected="one of " + " ".join(KNOWN_SUFFIXES),
                remedy="Convert it first",
            ) from error
        raise _damaged(path, essence(error)) from error


def check_file(path: Path, what: str = "image") -> None:
    """Refuse a file, called `what`, that is missing, closed to us, empty or not whole; raises ImageError."""
    try:
        if not path.exists():
            raise ImageError(f"no such {what}", where=str(path), remedy=_near_names(path))
        if path.stat().st_size == 0:
            raise ImageError("the file is empty", where=str(path), remedy="Copy or export the image again")
        with path.open("rb"):
            fault = missing_part(path)
    except OSError as error:
        raise ImageError(
            f"the file can't be read: {error.strerror or error}", where=str(path), remedy="Check its permissions"
        ) from error
    if fault is not None:
        raise _damaged(path, fault)


def _damaged(path: Path, fault: str) -> ImageError:
    return ImageError(f"the image is damaged: {fault}", where=str(path), remedy="Copy or export the image again")


def _near_names(path: Path) -> str:
    if not path.parent.is_dir():
        return f"The folder {path.parent} does not exist either"
    names = [entry.name for entry in path.parent.iterdir()]
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(near)}?" if near else "Check the path"


def _scalar(image: sitk.Image, path: Path) -> tuple[np.ndarray, Grid]:
    """The voxels (z, )y, x and where they lie; a fourth axis of length one is dropped."""
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[..., 0]
    if image.GetDimension() not in (2, 3):
        raise ImageError(
            f"has {image.GetDimension()} dimensions, of size {image.GetSize()}",
            where=str(path),
            expected="a 2-D or 3-D image",
            remedy="Extract one volume first, e.g. with SimpleITK: image[..., 0]",
        )
    data = sitk.GetArrayFromImage(image)
    components = image.GetNumberOfComponentsPerPixel()
    if is_complex(image):
        raise ImageError(
            "has complex voxels", where=str(path), expected="a scalar image", remedy="Take their magnitude first"
        )
    if is_colour(image):
        warnings.warn(f"{path}: colour image, its luminance is used", InputWarning, stacklevel=3)
        data = data[..., :3].astype(np.float32) @ np.asarray(_LUMINANCE, dtype=np.float32)
    elif components != 1:
        raise ImageError(
            f"has {components} values per voxel",
            where=str(path),
            expected="a scalar image",
            remedy="Extract one of them first",
        )
    _check_geometry(image, path)
    return data, grid_of(image)


def _check_geometry(image: sitk.Image, path: Path) -> None:
    if not all(map(math.isfinite, (*image.GetSpacing(), *image.GetOrigin(), *image.GetDirection()))):
        raise ImageError(
            f"its header places it nowhere: origin {image.GetOrigin()}, direction {image.GetDirection()}",
            where=str(path),
            expected="finite numbers",
            remedy="Correct the header (of NIfTI: sform and qform), or export the image again",
        )


def grid_of(image: sitk.Image) -> Grid:
    """The grid of a SimpleITK image."""
    d = image.GetDimension()
    direction = image.GetDirection()
    rows = tuple(tuple(direction[r * d : (r + 1) * d]) for r in range(d))
    return Grid(image.GetSize(), image.GetSpacing(), image.GetOrigin(), rows)


def _check_values(data: Tensor, path: Path, *, allow_constant: bool) -> None:
    bad = int((~data.isfinite()).sum())
    if bad:
        raise ImageError(
            f"{bad} of {data.numel()} voxels are NaN or infinite",
            where=str(path),
            remedy="Replace them, e.g. by the value of air or by 0",
        )
    if not allow_constant and bool((data == data.flatten()[0]).all()):
        raise ImageError(
            f"all voxels have the same value, {float(data.flatten()[0]):g}",
            where=str(path),
            expected="an image with something on it",
            remedy="Check how it was exported",
        )
