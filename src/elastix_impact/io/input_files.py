"""All files that one input stands for: what is in them, and that no result takes their place."""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from elastix_impact.errors import OutputError

from .formats import HEADER_SUFFIXES
from .headers.check import data_files_of
from .transform_file import beside

_NAMED = re.compile(rb'^\W*(?:InitialTransformParameters?FileName|TransformFileName)\b[^"\n]*"([^"\n]+)"', re.MULTILINE)
_SUFFIXES_OF_DATA = {".mhd": (".raw", ".zraw"), ".nhdr": (".raw", ".raw.gz")}
_TWINS = {".hdr": ".img", ".img": ".hdr"}

_Identity = tuple[int, int]
"""Device and inode: the same for all names of a file."""


def files_of_input(path: Path) -> tuple[Path, ...]:
    """The file itself and those that it names: a header's voxels, a transform's chain; of a folder, what lies in it."""
    if os.path.isdir(path):  # which says no of names that no file can have
        return tuple(sorted(one for one in path.iterdir() if one.is_file()))
    found: dict[Path, None] = {}
    waiting = [path]
    while waiting:
        one = waiting.pop(0)
        if one not in found and os.path.isfile(one):
            found[one] = None
            waiting += _named_by(one)
    return tuple(found)


def _named_by(path: Path) -> list[Path]:
    suffix = path.suffix.lower()
    if suffix in HEADER_SUFFIXES:
        return list(data_files_of(path))
    if suffix in _TWINS:
        return [path.with_suffix(_TWINS[suffix])]
    if suffix in (".txt", ".toml"):
        names = (os.fsdecode(name) for name in _NAMED.findall(path.read_bytes()))
        return [beside(Path(name), path) for name in names]
    return []


def identities(inputs: Iterable[Path]) -> dict[_Identity, Path]:
    """All files that inputs stand for, by what is the same under all their names."""
    return {key: one for path in inputs for one in files_of_input(path) if (key := identity(one)) is not None}


def identity(path: Path) -> _Identity | None:
    """What is the same under all names of a file, links followed; None if there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def refuse_overwriting(results: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse results that would take the place of a file that is read, by whatever name or link.

    Parameters
    ----------
    results
        Files that are to be written; those of a header's voxels count with it.

    Raises
    ------
    OutputError
        With both names.
    """
    read = identities(inputs)
    for path in results:
        for one in (path, *(path.with_suffix(suffix) for suffix in _SUFFIXES_OF_DATA.get(path.suffix.lower(), ()))):
            source = read.get(identity(one) or (-1, -1))
            if source is not None:
                raise OutputError(
                    f"this would replace the input {source}",
                    where=str(one),
                    expected="results that take no place of what is read",
                    remedy="Give another output, or copy the input elsewhere first",
                )


def file_facts(path: Path, *, alone: bool = False) -> dict[str, Any]:
    """Path, size in bytes and SHA-256 of a file with all that it names, one after the other; of none, the path alone.

    `alone` leaves out what it names.
    """
    digest, size = hashlib.sha256(), 0
    try:
        files = (path,) if alone else files_of_input(path)
        for one in files:
            with one.open("rb") as file:
                hashlib.file_digest(file, lambda: digest)
                size += file.tell()
    except OSError:
        files = ()
    if not files:
        return {"path": str(path)}
    more = {"files": len(files)} if len(files) > 1 else {}
    return {"path": str(path), **more, "bytes": size, "sha256": digest.hexdigest()}


def what_became(facts: Mapping[str, Any]) -> str | None:
    """How a file differs from what `file_facts` once said of it: ``"missing"``, ``"changed"``; None if it does not."""
    if "sha256" not in facts:
        return None
    now = file_facts(Path(facts["path"]), alone="files" not in facts)
    return "missing" if "sha256" not in now else None if now["sha256"] == facts["sha256"] else "changed"
