"""Archives that inflate: PyTorch's files are zip archives, whose members may be packed to a thousandth of that."""

import struct
import zipfile
import zlib
from pathlib import Path

from elastix_impact.errors import ModelError

UNPACKED_PER_BYTE, UNPACKED_ANYWAY = 8, 256 << 20
"""Bytes that an archive may hold per byte of its file, and what it may hold beside. PyTorch packs the code only."""

ARCHIVE_DAMAGES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, OSError)
"""What reading a damaged archive raises; NotImplementedError, of an archive of a newer kind, is a RuntimeError."""


def check_packing(archive: zipfile.ZipFile, size: int, where: str) -> None:
    """Look at the sizes in the directory of an archive of `size` bytes, before anything is unpacked.

    Raises
    ------
    ModelError
        If it would inflate beyond all measure.
    """
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > UNPACKED_ANYWAY + UNPACKED_PER_BYTE * size:
        raise ModelError(
            f"a file of {size / 1e6:.1f} MB that holds {unpacked / 1e6:,.0f} MB once unpacked: it is made to fill the "
            "memory, PyTorch packs no weights",
            where=where,
            remedy="Don't use it; if you know that it is good, load it and save it again with PyTorch",
        )


def check_packing_of(path: Path) -> None:
    """The same for a file; nothing is said of one that is no archive, or none that can be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_packing(archive, path.stat().st_size, str(path))
    except ARCHIVE_DAMAGES:
        return
