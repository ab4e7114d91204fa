"""A run works in a folder of its own inside its target, under a lock, and takes the target over when it ended well."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from elastix_impact.errors import OutputError
from elastix_impact.io.atomic import output_errors
from elastix_impact.io.locking import locked

from .earlier import aside_files, is_complete, result_files
from .folder import RunFolder
from .swap import JOURNAL, RECORD, Swap, finish_swap, remove_tree

WORK_NAME = "unfinished-run"
"""In a run's folder: where it writes until it has ended well; what a run that did not left."""

LOCK_NAME = ".elastix-impact.lock"

_BUSY = "another run is at work in this folder"


@contextlib.contextmanager
def staged(target: Path, *, create: bool, continues: str | None) -> Iterator[RunFolder]:
    """The folder that a run into `target` writes into, under the lock of `target`; see `publish`.

    Parameters
    ----------
    create
        Whether `target` is made if it is missing.
    continues
        Name of the file without which there is nothing to continue; None = the run begins anew. What an earlier run
        that did not end well left goes then.

    Raises
    ------
    LockedError
        If another run is at work there.
    OutputError
        If `target` can't be used, see `RunFolder.open`.
    """
    place = RunFolder.open(target, create=create).path
    with locked(place / LOCK_NAME, _BUSY):
        work = place / WORK_NAME
        _check_plain(work)
        finish_swap(work, place)
        with output_errors(work):
            if continues is None or not (work / continues).is_file():
                remove_tree(work)
            for left in work.glob(".*"):
                remove_tree(left) if left.is_dir() else left.unlink()
            work.mkdir(exist_ok=True)
        try:
            yield RunFolder(work, place)
        finally:
            if not (work / RECORD).is_file():
                remove_tree(work)


def publish(folder: RunFolder, stages: int, result_names: Sequence[str], inputs: Iterable[Path]) -> None:
    """Put the files of a staged run into its target, in place of an earlier result; `inputs` stay where they are.

    Raises
    ------
    OutputError
        If the system refuses; the earlier result is in its place then.
    """
    old = [*result_files(folder.target, stages, result_names), *aside_files(folder.target, inputs)]
    Swap.of(folder.path, folder.target, old).make()


def keeps_result(folder: RunFolder) -> bool:
    """Whether the target has a result that a run that did not end well must not replace."""
    return is_complete(folder.target)


def finish_killed(target: Path) -> None:
    """Finish what a run that was killed while its files took their places left to do.

    Raises
    ------
    LockedError
        If a run is at work there.
    OutputError
        If the system refuses.
    """
    work = target / WORK_NAME
    if (work / JOURNAL).is_file() and not work.is_symlink():
        with locked(target / LOCK_NAME, _BUSY):
            finish_swap(work, target)


def _check_plain(work: Path) -> None:
    """Refuse a file or a link where the work is to lie."""
    if work.is_symlink() or (work.exists() and not work.is_dir()):
        raise OutputError(
            "this is where the run is to work, and it is no plain folder",
            where=str(work),
            remedy="Move it away, or give another output folder",
        )
