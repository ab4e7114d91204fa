"""Which model files may be loaded: a TorchScript file is a program, and loading it runs code from the file.

The folders are those of `trusting`, else those of the environment variable; where neither says anything, any will do.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from elastix_impact.errors import ModelError

TRUSTED_MODELS = "ELASTIX_IMPACT_TRUSTED_MODELS"
"""Environment variable: folders that models may come from, separated as in PATH; empty = none may be loaded."""

_given: ContextVar[tuple[Path, ...] | None] = ContextVar("trusted_folders", default=None)
_own: set[Path] = set()


@contextmanager
def trusting(folders: Sequence[Path] | None) -> Iterator[None]:
    """Load models from these folders only while the block runs, links followed; None = as it was before."""
    if folders is None:
        yield
        return
    token = _given.set(tuple(folders))
    try:
        yield
    finally:
        _given.reset(token)


def trust_own(folder: Path) -> None:
    """Trust a folder of this process's own, that nobody else can write to, for the rest of the process."""
    _own.add(folder.resolve())


def trusted_folders() -> tuple[Path, ...] | None:
    """The folders that hold now, absolute, links followed; None = any, none = no model may be loaded."""
    given = _given.get()
    if given is None:
        written = os.environ.get(TRUSTED_MODELS)
        if written is None:
            return None
        given = tuple(Path(one) for one in written.split(os.pathsep) if one)
    return (*(folder.resolve() for folder in given), *sorted(_own))


def check_trusted(path: Path, state: os.stat_result) -> None:
    """Refuse an open file that does not lie in a trusted folder.

    Parameters
    ----------
    path
        The name by which it was opened.
    state
        What `os.fstat` says of the open file: it is this file, not whatever has its name by now, that is judged.

    Raises
    ------
    ModelError
        If it lies elsewhere, links followed, or has further names (hard links) outside the trusted folders, by which
        others may change it.
    """
    folders = trusted_folders()
    if folders is None:
        return
    place = path.resolve()
    if not any(place.is_relative_to(folder) for folder in folders) or not _is_same(place, state):
        listed = ", ".join(str(folder) for folder in folders if folder not in _own) or "there are none"
        raise ModelError(
            f"the model lies outside the trusted folders ({listed}); loading it runs its code",
            where=str(path),
            remedy="Copy it there if you trust its source, or add its folder with --trusted-models",
        )
    if state.st_nlink > 1 and (inside := _names_inside(folders, state)) < state.st_nlink:
        raise ModelError(
            f"the model file has {state.st_nlink} names (hard links), {inside} of them in the trusted folders: it can "
            "be changed from outside",
            where=str(path),
            remedy="Replace it by a copy of its own: cp MODEL COPY && mv COPY MODEL",
        )


def _is_same(place: Path, state: os.stat_result) -> bool:
    try:
        return os.path.samestat(place.stat(), state)
    except OSError:
        return False


def _names_inside(folders: Sequence[Path], state: os.stat_result) -> int:
    """How many names of a file lie in the folders, of which one may contain another."""
    names: set[str] = set()
    for folder in folders:
        for parent, _, files in os.walk(folder):
            for name in (os.path.join(parent, one) for one in files):
                with suppress(OSError):
                    found = os.lstat(name)
                    if stat.S_ISREG(found.st_mode) and os.path.samestat(found, state):
                        names.add(name)
    return len(names)
