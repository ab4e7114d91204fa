"""Files that appear under their name only when they are whole."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from elastix_impact.errors import OutputError


@contextlib.contextmanager
def written_whole(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix, that is renamed to it when the block ends well.

    With `durable` the file is on the disk before the old one goes, and its name before this returns: a machine that
    loses power has the one or the other.

    Raises
    ------
    OutputError
        If the folder is missing or can't be written, or the disk is full.
    """
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    with output_errors(path):
        try:
            yield temporary
            if durable:
                _flush(temporary)
            temporary.replace(path)
            if durable and os.name == "posix":
                _flush(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _flush(path: Path) -> None:
    """Wait until a file, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
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
