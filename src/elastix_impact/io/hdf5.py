"""HDF5 files that make the library itself hang or crash are found out by a process of its own."""

import subprocess
import sys
from pathlib import Path

from elastix_impact.child_process import NEUTRAL_FOLDER, child_environment
from elastix_impact.errors import TransformFileError

from . import hdf5_process

SUFFIXES = (".h5", ".hdf5")

SECONDS = 10
"""For reading a file, and as many again for each of its gigabytes: HDF5 reads a gigabyte in about two seconds."""


def check_readable(path: Path) -> None:
    """See whether HDF5 comes to an end with a transform file, whatever end that is.

    Raises
    ------
    TransformFileError
        If it does not, or crashes.
    """
    seconds = SECONDS * (1 + path.stat().st_size // 10**9)
    command = [sys.executable, "-P", str(Path(hdf5_process.__file__)), str(path.absolute()), str(seconds)]
    quiet = subprocess.DEVNULL
    try:
        ended = subprocess.run(
            command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=2 * seconds,
            cwd=NEUTRAL_FOLDER, env=child_environment(),
        )  # fmt: skip
        what = f"HDF5 crashes on it, or needs more than {seconds} s" if ended.returncode not in (0, 1) else ""
    except subprocess.TimeoutExpired:
        what = f"HDF5 comes to no end with it in {2 * seconds} s"
    if what:
        raise TransformFileError(
            f"not a transform that can be read: {what}",
            where=str(path),
            expected="a file that ITK wrote, as it wrote it",
            remedy="Copy the file again, or write the transform as .tfm",
        )
