"""Images from files; `write_image` is the way back."""

import math
import warnings
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor

from elastix_impact.errors import ImageError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image

from .image_files import check_file, not_finite, read_file
from .image_writing import write_image
from .pixels import is_colour, is_complex, pixel_type_of
from .scale import length_unit_of, resolution_words
from .warning import InputWarning

__all__ = ["check_file", "grid_of", "read_file", "read_image", "read_labels", "write_image"]

LARGEST_VALUE = 1e15
"""Values above can't be squared and summed as float32."""

LARGEST_LABEL = (1 << 63) - 1
"""The largest int64."""

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
    _check_values(data, path)
    tensor = torch.from_numpy(np.ascontiguousarray(data, dtype=np.float32))
    if not allow_constant:
        _check_varied(tensor, path)
    image = Image(tensor, grid, str(path), pixel_type_of(itk_image))
    if not allow_constant:
        _tell_missing_scale(image)
    return image


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
    _check_values(data, path)
    tensor = torch.from_numpy(np.ascontiguousarray(data, dtype=kind))
    return Image(tensor, grid, str(path), pixel_type_of(itk_image))


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


def _check_values(data: np.ndarray, path: Path) -> None:
    """Refuse numbers that can't be computed with."""
    if data.dtype.kind in "iu":
        if data.dtype == np.uint64 and int(data.max()) > LARGEST_LABEL:
            raise ImageError(
                f"a voxel has the value {int(data.max())}",
                where=str(path),
                expected=f"whole numbers up to {LARGEST_LABEL}",
                remedy="Number the labels anew",
            )
        return
    bad = int((~np.isfinite(data)).sum())
    if bad:
        raise not_finite(bad, data.size, path)
    largest = float(np.abs(data).max())
    if largest > LARGEST_VALUE:
        raise ImageError(
            f"a voxel has the value {largest:.3g}",
            where=str(path),
            expected=f"values below {LARGEST_VALUE:g}, which do not overflow when they are squared and summed",
            remedy="Replace it, e.g. by the value of air or by 0, or scale the image",
        )


def _check_varied(data: Tensor, path: Path) -> None:
    if bool((data == data.flatten()[0]).all()):
        raise ImageError(
            f"all voxels have the same value, {float(data.flatten()[0]):g}",
            where=str(path),
            expected="an image with something on it",
            remedy="Check how it was exported",
        )
