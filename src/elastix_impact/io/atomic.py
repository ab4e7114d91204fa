"""Files that appear under their name only when they are whole, and on the disk: the way in which this package writes.

A temporary name lies in the same folder, is made of random letters and is created with O_EXCL, so that nobody can put a
link or a file of his own where it will be. A link under the final name is replaced, never followed.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from elastix_impact.errors import OutputError

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, empty and with its suffixes, that is renamed to it when the block ends well.

    It is on the disk before the old file goes, and the name before this returns: a machine that loses power has the one
    or the other.

    Raises
    ------
    OutputError
        If the folder is missing or can't be written, or the disk is full.
    """
    with output_errors(path):
        temporary = new_file(path)
        try:
            yield temporary
            flush(temporary)
            temporary.replace(path)
        except BaseException:
            forget(temporary)
            raise
        flush_folder(path.parent)


def new_file(path: Path) -> Path:
    """An empty file with a random name beside `path`, with its suffixes; raises OSError."""
    temporary = path.with_name(f".{secrets.token_hex(8)}{''.join(path.suffixes[-2:])}")
    os.close(os.open(temporary, _NEW, 0o666))
    return temporary


def forget(path: Path) -> None:
    """Remove a file that is of no use any more; what the system says to that is of none either, after a second try."""
    for _ in range(2):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            return


def flush(path: Path) -> None:
    """Wait until a file is on the disk."""
    _sync(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)


def flush_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk; Windows has no such call."""
    if os.name == "posix":
        _sync(path, os.O_RDONLY)


def _sync(path: Path, how: int) -> None:
    descriptor = os.open(path, how)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text_whole(path: Path, text: str) -> None:
    """Write a text file, whole or not at all; see `written_whole`."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says about writing `path` into an OutputError with a remedy."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        permission = "Check the path and its permissions (in a container: docker run --user)"
        raise OutputError(
            f"can't be written: {error.strerror or error}",
            where=str(path),
            remedy=f"{'Free some space' if full else permission}, or give another output folder",
        ) from error
