"""The one way in: what a file's format is, and whether the file keeps its header's promise."""

from collections.abc import Callable
from pathlib import Path

from elastix_impact.errors import ImageError

from .header import Header, damaged
from .metaimage import examine_metaimage, metaimage_files
from .nifti import NIFTI_SUFFIXES, examine_nifti
from .nrrd import examine_nrrd, nrrd_files
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
    name = path.name.lower()
    examine = next((one for suffixes, one in _FORMATS.items() if name.endswith(suffixes)), None)
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


_FORMATS: dict[tuple[str, ...], Callable[[Path], Header | None]] = {
    (".mha", ".mhd"): examine_metaimage,
    NIFTI_SUFFIXES: examine_nifti,
    (".nrrd", ".nhdr"): examine_nrrd,
    (".tif", ".tiff"): examine_tiff,
    (".jpg", ".jpeg"): _examine_jpeg,
}
