"""What is known of image formats, and of the libraries behind SimpleITK that read and write them."""

import contextlib
import os
import sys
from collections.abc import Iterator

KNOWN_SUFFIXES = (".mha", ".mhd", ".nii", ".nii.gz", ".nrrd", ".nhdr", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
FLAT_SUFFIXES = (".png", ".jpg", ".jpeg")
"""Formats of two dimensions: ITK writes the first slice of a volume, and says nothing."""
HEADER_SUFFIXES = (".mhd", ".nhdr")
"""Headers whose voxels lie in a file of their own."""


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
