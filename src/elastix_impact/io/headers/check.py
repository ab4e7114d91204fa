"""The one way in: what a file's format is, and whether the file keeps its header's promise."""

from collections.abc import Callable
from pathlib import Path

from elastix_impact.errors import ImageError

from .header import Header, damaged
from .metaimage import examine_metaimage, metaimage_files, metaimage_header
from .nifti import NIFTI_SUFFIXES, examine_nifti, nifti_header
from .nrrd import examine_nrrd, nrrd_files, nrrd_header
from .tiff import examine_tiff

_END_OF_JPEG = b"\xff\xd9"
_JPEG_TRAILER_BYTES = 1 << 16


def check_header(path: Path) -> Header | None:
    """What an image file promises, None for formats whose own readers notice what lacks (PNG, DICOM, HDF5).

    Raises
    ------
    ImageError
        If the header makes no sense, or what it promises is not there: ITK fills up many formats with zeros, and ends
        the process at some headers.
    OSError
        If a file can't be read.
    """
    return _of_format(path, _FORMATS)


def read_header(path: Path) -> Header | None:
    """What an image file promises, without a look at its voxels; None as for `check_header`.

    Raises
    ------
    ImageError
        If the header makes no sense.
    OSError
        If a file can't be read.
    """
    return _of_format(path, _FORMATS | _HEADERS)


def _of_format(path: Path, formats: "dict[tuple[str, ...], Examine]") -> Header | None:
    name = path.name.lower()
    examine = next((one for suffixes, one in formats.items() if name.endswith(suffixes)), None)
    return None if examine is None else examine(path)


def data_files_of(header: Path) -> tuple[Path, ...]:
    """The files that the voxels of a .mhd or .nhdr lie in, also those that are not there; none if it makes no sense."""
    try:
        return metaimage_files(header) if header.suffix.lower() == ".mhd" else nrrd_files(header)
    except ImageError:
        return ()


def _examine_jpeg(path: Path) -> None:
    """Refuse a JPEG file that lacks its end; the decoder would paint the rest grey."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _JPEG_TRAILER_BYTES))
        if _END_OF_JPEG not in file.read():
            raise damaged(path, "it breaks off: its end mark is missing")


Examine = Callable[[Path], Header | None]

_FORMATS: dict[tuple[str, ...], Examine] = {
    (".mha", ".mhd"): examine_metaimage,
    NIFTI_SUFFIXES: examine_nifti,
    (".nrrd", ".nhdr"): examine_nrrd,
    (".tif", ".tiff"): examine_tiff,
    (".jpg", ".jpeg"): _examine_jpeg,
}

_HEADERS: dict[tuple[str, ...], Examine] = {
    (".mha", ".mhd"): metaimage_header,
    NIFTI_SUFFIXES: nifti_header,
    (".nrrd", ".nhdr"): nrrd_header,
}
"""The same without their voxels, where these take time."""
