"""How large an image is, by its header alone."""

import math
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import SimpleITK as sitk

from elastix_impact.errors import ImageError
from elastix_impact.geometry.grid import Grid

from .dicom import chosen_files
from .formats import essence, library_chatter_off
from .headers.check import read_header
from .headers.header import damaged

_ITEM_BYTES = {
    sitk.sitkInt8: 1, sitk.sitkUInt8: 1, sitk.sitkInt16: 2, sitk.sitkUInt16: 2, sitk.sitkInt32: 4, sitk.sitkUInt32: 4,
    sitk.sitkFloat32: 4,
}  # fmt: skip
"""Bytes of a number by ITK's type; others have 8."""

_OF_VECTORS = {
    sitk.sitkVectorInt8: 1, sitk.sitkVectorUInt8: 1, sitk.sitkVectorInt16: 2, sitk.sitkVectorUInt16: 2,
    sitk.sitkVectorInt32: 4, sitk.sitkVectorUInt32: 4, sitk.sitkVectorFloat32: 4,
}  # fmt: skip


@final
@dataclass(frozen=True)
class ImageSize:
    """Where an image's voxels lie, and how many bytes each takes in its file, unpacked."""

    grid: Grid
    voxel_bytes: int

    @property
    def voxels(self) -> int:
        """How many there are."""
        return self.grid.number_of_voxels


def image_size(path: Path) -> ImageSize:
    """The size of the image in a file or a DICOM folder; no voxel is read.

    Raises
    ------
    ImageError
        If its header can't be read. Whether its voxels are there is not looked at.
    """
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `read_image` will tell
        if path.is_dir():
            files = chosen_files(path)
            return _stacked(_size_of(Path(files[0])), len(files))
        try:
            read_header(path)
        except OSError as error:
            raise ImageError(f"the file can't be read: {error.strerror or error}", where=str(path)) from error
        return _size_of(path)


def _size_of(path: Path) -> ImageSize:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        with library_chatter_off():
            reader.ReadImageInformation()
    except RuntimeError as error:
        raise damaged(path, essence(error)) from error
    size, spacing, origin = reader.GetSize(), reader.GetSpacing(), reader.GetOrigin()
    d = 3 if len(size) == 4 and size[3] == 1 else len(size)
    if d not in (2, 3):
        raise ImageError(f"has {d} dimensions, of size {size}", where=str(path))
    cosines = reader.GetDirection()
    rows = tuple(tuple(cosines[r * len(size) : r * len(size) + d]) for r in range(d))
    kind = reader.GetPixelID()
    voxel_bytes = _ITEM_BYTES.get(kind, _OF_VECTORS.get(kind, 8)) * reader.GetNumberOfComponents()
    return ImageSize(Grid(size[:d], spacing[:d], origin[:d], rows), voxel_bytes)


def _stacked(one: ImageSize, count: int) -> ImageSize:
    """The size of as many slices."""
    grid = one.grid
    if grid.dimension == 2:
        side = math.sqrt(math.prod(grid.spacing))
        return replace(one, grid=Grid.axis_aligned((*grid.size, count), (*grid.spacing, side)))
    return replace(one, grid=replace(grid, size=(*grid.size[:2], count * grid.size[2])))
