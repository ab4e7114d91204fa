"""Images into files, whole or not at all."""

import math
import warnings
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from torch import Tensor

from elastix_impact.errors import ImageError, OutputError
from elastix_impact.geometry.grid import Grid

from .atomic import flush, forget, output_errors, written_whole
from .formats import FLAT_SUFFIXES, HEADER_SUFFIXES, KNOWN_SUFFIXES, essence, library_chatter_off
from .headers.check import check_header
from .itk_images import itk_image_on
from .pixels import numpy_type
from .warning import InputWarning

_DATA_SUFFIXES = {".mhd": (".raw", ".zraw"), ".nhdr": (".raw", ".raw.gz")}
"""Suffix of a header's data file, plain and compressed."""


def write_image(path: Path, data: Tensor, grid: Grid, pixel_type: str = "short", *, compress: bool = False) -> None:
    """Write an image whole: under a temporary name, then renamed.

    Parameters
    ----------
    path
        Its suffix decides the format.
    data
        (z, )y, x, or with several values per voxel (C, (z, )y, x). Integer types get rounded values, and those out
        of range the nearest possible one.
    pixel_type
        elastix's name: ``"short"``, ``"float"``, ``"unsigned char"``, ...

    Raises
    ------
    OutputError
        If the format is unknown or can't hold the image, the folder can't be written, or the disk is full.

    Warns
    -----
    InputWarning
        If the format loses spacing, origin or direction.
    """
    path = Path(path)
    check_format(path, grid)
    vector = data.ndim == grid.dimension + 1
    array = _cast(data.detach().cpu().numpy(), pixel_type)
    image = itk_image_on(grid, np.moveaxis(array, 0, -1) if vector else array, vector=vector)
    with output_errors(path):
        if not path.parent.is_dir():
            raise FileNotFoundError(2, "the folder does not exist")
    if path.suffix.lower() in HEADER_SUFFIXES:
        _write_header_and_data(path, image, compress=compress)
        return
    with written_whole(path) as temporary:
        _write(temporary, image, path, compress=compress)


def check_format(path: Path, grid: Grid) -> None:
    """Refuse a name whose format is unknown or can't hold an image on `grid`; raises OutputError."""
    name = path.name.lower()
    if not name.endswith(KNOWN_SUFFIXES):
        raise OutputError(
            "unknown image format",
            where=str(path),
            expected="one of " + " ".join(KNOWN_SUFFIXES),
            remedy="Change its suffix (ResultImageFormat in a map)",
        )
    if grid.dimension > 2 and name.endswith(FLAT_SUFFIXES):
        raise OutputError(
            f"this format can't hold an image of {grid.dimension} dimensions",
            where=str(path),
            expected="one of " + " ".join(suffix for suffix in KNOWN_SUFFIXES if suffix not in FLAT_SUFFIXES),
            remedy="Change its suffix (ResultImageFormat in a map)",
        )


def _cast(values: np.ndarray, pixel_type: str) -> np.ndarray:
    kind = numpy_type(pixel_type)
    if np.issubdtype(kind, np.integer):
        limits = np.iinfo(kind)
        if np.issubdtype(values.dtype, np.integer):  # exact, whatever the width: labels may need all 64 bits
            own = np.iinfo(values.dtype)
            return values.clip(max(limits.min, own.min), min(limits.max, own.max)).astype(kind)
        largest = float(limits.max)
        if largest > limits.max:  # 64-bit limits are no doubles; the next one above would wrap round
            largest = math.nextafter(largest, 0.0)
        values = np.clip(np.rint(values.astype(np.float64)), float(limits.min), largest)
    return values.astype(kind)


def _write(target: Path, image: sitk.Image, path: Path, *, compress: bool) -> None:
    """Write `target`, the temporary name of `path`, and look whether it is whole: ITK does not for NIfTI files."""
    try:
        with library_chatter_off():
            sitk.WriteImage(image, str(target), useCompression=compress)
        check_header(target)
        fault = None
    except ImageError as error:
        fault = error.what
    except RuntimeError as error:
        fault = essence(error)
    if fault is not None:
        raise OutputError(
            f"the image can't be written: {fault}",
            where=str(path),
            remedy="Free some space, check the permissions, or choose another ResultImageFormat or pixel type",
        )
    _tell_lost_place(target, image, path)


def _tell_lost_place(target: Path, image: sitk.Image, path: Path) -> None:
    """Warn where the format, as TIFF and PNG, has not kept spacing, origin or direction."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(target))
    with library_chatter_off():
        reader.ReadImageInformation()
    if reader.GetDimension() != image.GetDimension():
        return
    lost = [
        what
        for what, wanted, came in (
            ("spacing", image.GetSpacing(), reader.GetSpacing()),
            ("origin", image.GetOrigin(), reader.GetOrigin()),
            ("direction", image.GetDirection(), reader.GetDirection()),
        )
        if not np.allclose(wanted, came, rtol=1e-3, atol=1e-3 * min(image.GetSpacing()))
    ]
    if lost:
        warnings.warn(
            f"{path}: this format does not keep the image's {' and '.join(lost)}; .mha, .nrrd and .nii.gz do",
            InputWarning,
            stacklevel=5,
        )


def _write_header_and_data(path: Path, image: sitk.Image, *, compress: bool) -> None:
    """A header with its data file: the data are renamed first, then the header that names them."""
    suffix = _DATA_SUFFIXES[path.suffix.lower()][compress]
    data_path = path.with_suffix(suffix)
    with written_whole(path) as header:
        data = header.with_suffix(suffix)
        try:
            _write(header, image, path, compress=compress)
            text = header.read_text(encoding="utf-8")
            header.write_text(text.replace(data.name, data_path.name), encoding="utf-8")
            flush(data)
            data.replace(data_path)
        finally:
            forget(data)
