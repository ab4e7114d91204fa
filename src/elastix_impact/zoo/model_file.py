"""A model file, opened once: what is judged, checked and loaded are the same bytes."""

import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, final

from elastix_impact.errors import ModelError

from .failures import essence
from .packing import ARCHIVE_DAMAGES, check_packing
from .trust import check_trusted

LARGEST_FILE = 16 << 30
"""Bytes of a model file; the largest published vision networks have a third of it."""

FETCH_AGAIN = "Fetch or export the file again; it may be damaged or made by a newer PyTorch"


@final
@dataclass(frozen=True)
class OpenedFile:
    """A file that may be loaded, open: equal to another one of the same file in the same state.

    Attributes
    ----------
    path
        Its place, absolute, links followed.
    identity
        Device, number, size and times of last change of the open file.
    """

    path: Path
    identity: tuple[int, ...]
    stream: BinaryIO = field(compare=False, repr=False)


@final
@dataclass(frozen=True)
class ModelFile:
    """The facts of a file. `kind` is ``"script"`` or ``"trace"``."""

    sha256: str
    size: int
    kind: str


@contextmanager
def opened(path: Path) -> Iterator[OpenedFile]:
    """Open a model file and refuse what is no file, too large, or not trusted (see `check_trusted`).

    Raises
    ------
    ModelError
        For these reasons.
    """
    try:
        stream = open(path, "rb", opener=_open_at_once)  # noqa: SIM115
    except OSError as error:
        what = "is a folder, not a model file" if path.is_dir() else "no such model file"
        if path.is_file():
            what = f"the model file can't be read: {error.strerror}"
        raise ModelError(what, where=str(path), expected="a TorchScript file (.pt)") from error
    with stream:
        state = os.fstat(stream.fileno())
        if not stat.S_ISREG(state.st_mode):
            what = "is no file but a pipe or a device"
            raise ModelError(what, where=str(path), expected="a TorchScript file (.pt)")
        check_trusted(path, state)
        if state.st_size > LARGEST_FILE:
            raise ModelError(f"has {state.st_size / 1e9:.0f} GB, which no feature model has", where=str(path))
        identity = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        yield OpenedFile(path.resolve(), identity, stream)


def _open_at_once(path: str, flags: int) -> int:
    """Open a file; a pipe without a writer too, which would be waited for else."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_archive(file: OpenedFile) -> tuple[bytes, ModelFile]:
    """The bytes of a TorchScript archive, whole and with right checksums, and what is known of them.

    Raises
    ------
    ModelError
        If it is no such archive, damaged (PyTorch would load wrong weights), or inflates beyond all measure.
    """
    file.stream.seek(0)
    content = file.stream.read()
    if not content:
        raise ModelError("the model file is empty", where=str(file.path), remedy=FETCH_AGAIN)
    names = _checked_names(content, str(file.path))
    if not any("/code/" in name for name in names) or not any(name.endswith("constants.pkl") for name in names):
        raise ModelError(
            "holds weights or a pickled object, but no TorchScript code",
            where=str(file.path),
            expected="a model written by torch.jit.script(model).save(...) or torch.jit.trace",
            remedy="Build the network in Python, load these weights into it and export it as TorchScript",
        )
    traced = any(name.endswith("traced_inputs.pkl") for name in names)
    return content, ModelFile(hashlib.sha256(content).hexdigest(), len(content), "trace" if traced else "script")


def _checked_names(content: bytes, where: str) -> list[str]:
    """The names in the archive, whose sizes are looked at before anything is unpacked."""
    try:
        if not zipfile.is_zipfile(io.BytesIO(content)):
            raise ModelError(_what_it_is(content), where=where, expected="a TorchScript file", remedy=FETCH_AGAIN)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_packing(archive, len(content), where)
            names, damaged = archive.namelist(), archive.testzip()
    except ARCHIVE_DAMAGES as error:
        names, damaged = [], essence(error)
    if damaged is not None:
        raise ModelError(f"the model file is damaged: {damaged}", where=where, remedy=FETCH_AGAIN)
    return names


def _what_it_is(content: bytes) -> str:
    if content.startswith(b"PK"):
        return "the model file is truncated"
    if content.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the model itself"
    if content[:64].lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "is a web page, not a model: the download went wrong"
    return "is not a TorchScript file"
