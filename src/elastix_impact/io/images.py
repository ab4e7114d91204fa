"""Images from files and into files."""

import contextlib
import difflib
import gzip
import os
import sys
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor

from elastix_impact.errors import ImageError, OutputError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image

from .atomic import output_errors, written_whole
from .dicom import read_series
from .nifti import check_complete, has_twin, is_nifti, read_with_nibabel
from .pixels import numpy_type, pixel_type_of
from .warning import InputWarning

KNOWN_SUFFIXES = (".mha", ".mhd", ".nii", ".nii.gz", ".nrrd", ".nhdr", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
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
        a warning. NIfTI files whose axes are not quite perpendicular are repaired, with a warning.

    Raises
    ------
    ImageError
        If it is missing, damaged, no scalar image of 2 or 3 dimensions, constant, or holds NaN or infinite voxels.
    """
    path = Path(path)
    itk_image = _read(path)
    data, grid = _scalar(itk_image, path)
    tensor = torch.from_numpy(np.ascontiguousarray(data, dtype=np.float32))
    _check_values(tensor, path, allow_constant=allow_constant)
    return Image(tensor, grid, str(path), pixel_type_of(itk_image))


def _read(path: Path) -> sitk.Image:
    if path.is_dir():
        return read_series(path)
    if not path.exists():
        raise ImageError("no such image", where=str(path), remedy=_near_names(path))
    if path.stat().st_size == 0:
        raise ImageError("the file is empty", where=str(path), remedy="Copy or export the image again")
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    if path.suffix.lower() == ".gz":
        _check_gzip(path)
    elif is_nifti(path):
        check_complete(path)
    if is_nifti(path) and has_twin(path):
        return read_with_nibabel(path)
    try:
        with _library_chatter_off():
            return sitk.ReadImage(str(path))
    except RuntimeError as error:
        if is_nifti(path) and "orthonormal" in str(error):
            return read_with_nibabel(path)
        if not str(path).lower().endswith(KNOWN_SUFFIXES):
            raise ImageError(
                "not an image that can be read", where=str(path), expected="one of " + " ".join(KNOWN_SUFFIXES)
            ) from error
        raise ImageError(
            f"the image is damaged: {_essence(error)}", where=str(path), remedy="Copy or export the image again"
        ) from error


def _check_gzip(path: Path) -> None:
    """Refuse a damaged .gz, which ITK reads as far as it goes and fills up with zeros."""
    try:
        with gzip.open(path) as file:
            while file.read(1 << 22):
                pass
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ImageError(
            f"the image is damaged: {error}", where=str(path), remedy="Copy or export the image again"
        ) from error


@contextlib.contextmanager
def _library_chatter_off() -> Iterator[None]:
    """Keep what the format libraries print themselves off stderr; their exceptions say it better."""
    sys.stderr.flush()
    kept = os.dup(2)
    silent = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silent, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(silent)
        os.close(kept)


def _essence(error: RuntimeError) -> str:
    """The part of an ITK exception that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("Reason:", "sitk::ERROR", "Exception thrown", "-"))]
    return (said or lines or ["unknown"])[-1].split("): ")[-1].split(": /")[0].split(" from /")[0].rstrip(".")


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
    if components in (3, 4):
        warnings.warn(f"{path}: colour image, its luminance is used", InputWarning, stacklevel=3)
        data = data[..., :3].astype(np.float32) @ np.asarray(_LUMINANCE, dtype=np.float32)
    elif components != 1:
        raise ImageError(
            f"has {components} values per voxel",
            where=str(path),
            expected="a scalar image",
            remedy="Extract one of them first",
        )
    return data, grid_of(image)


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
        If the format is unknown, the folder can't be written, or the disk is full.
    """
    path = Path(path)
    if not path.name.lower().endswith(KNOWN_SUFFIXES):
        raise OutputError(
            "unknown image format",
            where=str(path),
            expected="one of " + " ".join(KNOWN_SUFFIXES),
            remedy="Change ResultImageFormat",
        )
    vector = data.ndim == grid.dimension + 1
    array = _cast(data.detach().cpu().numpy(), pixel_type)
    image = sitk.GetImageFromArray(np.moveaxis(array, 0, -1) if vector else array, isVector=vector)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection([value for row in grid.direction for value in row])
    with output_errors(path):
        if not path.parent.is_dir():
            raise FileNotFoundError(2, "the folder does not exist")
    if path.suffix.lower() == ".mhd":
        _write_header_and_data(path, image, compress=compress)
        return
    with written_whole(path) as temporary:
        _write(temporary, image, path, compress=compress)


def _cast(values: np.ndarray, pixel_type: str) -> np.ndarray:
    kind = numpy_type(pixel_type)
    if np.issubdtype(kind, np.integer):
        limits = np.iinfo(kind)
        values = np.clip(np.rint(values.astype(np.float64)), float(limits.min), float(limits.max))
    return values.astype(kind)


def _write(target: Path, image: sitk.Image, path: Path, *, compress: bool) -> None:
    try:
        sitk.WriteImage(image, str(target), useCompression=compress)
    except RuntimeError as error:
        raise OutputError(
            f"the image can't be written: {_essence(error)}",
            where=str(path),
            remedy="Free some space, check the permissions, or choose another ResultImageFormat or pixel type",
        ) from error


def _write_header_and_data(path: Path, image: sitk.Image, *, compress: bool) -> None:
    """A .mhd with its data file: data first, then the header that names it."""
    suffix = ".zraw" if compress else ".raw"
    data_path = path.with_suffix(suffix)
    with written_whole(path) as header:
        data = header.with_suffix(suffix)
        try:
            _write(header, image, path, compress=compress)
            text = header.read_text(encoding="utf-8")
            header.write_text(text.replace(data.name, data_path.name), encoding="utf-8")
            data.replace(data_path)
        finally:
            data.unlink(missing_ok=True)
