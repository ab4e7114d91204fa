"""The model that needs no file: MIND, made from code where a map asks for it."""

import tempfile
import threading
from functools import cache
from pathlib import Path

from elastix_impact.errors import OutputError

from .export.mind import export_mind, mind_settings
from .trust import trust_own

_ONE_AT_A_TIME = threading.Lock()


def built_in_mind(file_name: str) -> Path:
    """A file with the MIND model of this published name, e.g. ``"R1D2_3D.pt"``: the bytes of `models export mind`.

    It lies in a folder that only this user can read, that is this process's own and goes with it: nothing is written
    beside anybody's data, and neither runs side by side nor what others left can disturb it.

    Raises
    ------
    ValueError
        If the name is none of MIND's.
    OutputError
        If the system's temporary folder can't be written.
    """
    settings = mind_settings(file_name)
    if settings is None:
        raise ValueError(f"{file_name} is no name of a MIND model")
    with _ONE_AT_A_TIME:
        path = Path(_folder().name) / "MIND" / file_name
        return path if path.is_file() else export_mind(path, *settings)


@cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    try:
        folder = tempfile.TemporaryDirectory(prefix="elastix-impact-models-", ignore_cleanup_errors=True)
    except OSError as error:
        raise OutputError(
            f"no temporary folder for the MIND model: {error.strerror or error}",
            where="the system's temporary folder",
            remedy="Set TMPDIR to a folder that can be written",
        ) from error
    trust_own(Path(folder.name))
    return folder
