"""What is known of image formats, and of the libraries behind SimpleITK that read and write them."""

import contextlib
import gzip
import math
import os
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import nibabel as nib
from nibabel.filebasedimages import ImageFileError

KNOWN_SUFFIXES = (".mha", ".mhd", ".nii", ".nii.gz", ".nrrd", ".nhdr", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
FLAT_SUFFIXES = (".png", ".jpg", ".jpeg")
"""Formats of two dimensions: ITK writes the first slice of a volume, and says nothing."""
HEADER_SUFFIXES = (".mhd", ".nhdr")
"""Headers whose voxels lie in a file of their own."""

_DATA_FILE = re.compile(r"^(?:ElementDataFile *=|data *file:) *(\S.*?) *$", re.MULTILINE | re.IGNORECASE)
_COUNTER = re.compile(r"%\d*[di]")
_HEADER_BYTES = 1 << 16
_GZIP_BLOCK_BYTES = 1 << 22


def missing_part(path: Path) -> str | None:
    """What a file lacks to be whole, None if nothing was found, where ITK itself would not notice.

    ITK fills up with zeros what lacks of a NIfTI file, and its words for a header without data name no file.
    """
    name = path.name.lower()
    if name.endswith(".gz"):
        return _gzip_fault(path)
    if name.endswith(".nii"):
        return _nifti_fault(path)
    return _data_file_fault(path) if name.endswith(HEADER_SUFFIXES) else None


def _gzip_fault(path: Path) -> str | None:
    try:
        with gzip.open(path) as file:
            while file.read(_GZIP_BLOCK_BYTES):
                pass
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return str(error).rstrip(".")
    return None


def _nifti_fault(path: Path) -> str | None:
    try:
        data = cast(Any, nib.load(path)).dataobj
        wanted = data.offset + math.prod(data.shape) * data.dtype.itemsize
    except (OSError, ValueError, AttributeError, ImageFileError):
        return None
    size = path.stat().st_size
    return f"it has {size} bytes of {wanted}" if size < wanted else None


def _data_file_fault(path: Path) -> str | None:
    missing = next((one for one in data_files_of(path) if not one.is_file()), None)
    return None if missing is None else f"its data file {missing.relative_to(path.parent)} is missing"


def data_files_of(header: Path) -> tuple[Path, ...]:
    """The files that a header's voxels lie in; of a list and of a pattern those that are there, none if it has them."""
    with header.open("rb") as file:
        text = file.read(_HEADER_BYTES).decode("utf-8", errors="replace")
    named = _DATA_FILE.search(text)
    if named is None or named[1] == "LOCAL":
        return ()
    if named[1].split()[0] == "LIST":
        names = [line.strip() for line in text[named.end() :].splitlines() if line.strip()]
        return tuple(path for path in (header.parent / name for name in names) if path.is_file())
    if "%" in named[1]:
        return tuple(sorted(header.parent.glob(_COUNTER.sub("*", named[1].split()[0]))))
    return (header.parent / named[1],)


@contextlib.contextmanager
def library_chatter_off() -> Iterator[None]:
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


def essence(error: RuntimeError) -> str:
    """The part of an ITK exception that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("Reason:", "Exception thrown", "-"))]
    last = (said or lines or ["unknown"])[-1].removeprefix("sitk::ERROR: ")
    return last.split("): ")[-1].split(": /")[0].split(" from /")[0].split(' for "')[0].rstrip(".")
