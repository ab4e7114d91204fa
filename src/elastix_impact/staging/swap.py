"""A new result takes the place of an old one in a folder, file by file, with a journal.

The folder itself may be a mount point, which can't be renamed. So the old files move aside, the record first; the new
ones move in, the record last; every move is a rename on one disk. The journal is on the disk before the first move.
An error takes all moves back. After a kill, the next run into the folder or the next report of it makes those that are
left; until then the folder has no record.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from elastix_impact.errors import OutputError
from elastix_impact.io.atomic import flush, flush_folder, forget, output_errors, write_text_whole

RECORD = "registration.json"
JOURNAL = "swap.json"
_ASIDE = "earlier"


@final
@dataclass(frozen=True)
class Swap:
    """The files of a result in `work` that move into `target`, and those of the earlier result there that go.

    Attributes
    ----------
    new, old
        Names relative to the folder.
    """

    work: Path
    target: Path
    new: tuple[str, ...]
    old: tuple[str, ...]

    @staticmethod
    def of(work: Path, target: Path, old: Sequence[str]) -> "Swap":
        """All that lies in `work` against `old` and what has the same names."""
        new = sorted(path.relative_to(work).as_posix() for path in work.rglob("*") if not path.is_dir())
        new.sort(key=lambda name: name == RECORD)
        gone = sorted({*old, *(name for name in new if (target / name).is_file() or (target / name).is_symlink())})
        gone.sort(key=lambda name: name != RECORD)
        return Swap(work, target, tuple(new), tuple(gone))

    def make(self) -> None:
        """Make it; raises OutputError, and the old result is in its place then."""
        with output_errors(self.target):
            for name in self.new:
                flush(self.work / name)
            for folder in {(self.work / name).parent for name in self.new}:
                flush_folder(folder)
            try:
                write_text_whole(self.work / JOURNAL, json.dumps({"new": self.new, "old": self.old}, indent=1) + "\n")
                self.go_on()
            except BaseException:
                self._take_back()
                raise
        self.clean_up()

    def go_on(self) -> None:
        """Make the moves that are not made yet."""
        for name in self.old:
            if (name not in self.new or _there(self.work / name)) and _there(self.target / name):
                _move(self.target / name, self.work / _ASIDE / name)
        for name in self.new:
            if _there(self.work / name):
                _move(self.work / name, self.target / name)
        for folder in {self.target, *((self.target / name).parent for name in self.new)}:
            flush_folder(folder)

    def _take_back(self) -> None:
        for name in reversed(self.new):
            if not _there(self.work / name):
                _move(self.target / name, self.work / name)
        for name in reversed(self.old):
            if _there(self.work / _ASIDE / name):
                _move(self.work / _ASIDE / name, self.target / name)
        for folder in {(self.target / name).parent for name in self.new} - {self.target}:
            _remove_empty(folder, self.target)
        shutil.rmtree(self.work / _ASIDE, ignore_errors=True)
        (self.work / JOURNAL).unlink(missing_ok=True)

    def clean_up(self) -> None:
        """Remove what is left of the earlier result, and the folder of the work."""
        for folder in {(self.target / name).parent for name in self.old} - {self.target}:
            _remove_empty(folder, self.target)
        remove_tree(self.work)


def finish_swap(work: Path, target: Path) -> None:
    """Make the rest of a swap whose process was killed, if there is one.

    Raises
    ------
    OutputError
        If its journal is none, or a move is refused.
    """
    journal = work / JOURNAL
    if not journal.is_file():
        return
    try:
        said = json.loads(journal.read_text(encoding="utf-8"))
        swap = Swap(work, target, _names(said["new"]), _names(said["old"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"the journal of a run that was killed can't be read: {error}",
            where=str(journal),
            remedy=f"Look which files of {work} are of use, then delete that folder",
        ) from error
    with output_errors(target):
        swap.go_on()
    swap.clean_up()


def remove_tree(folder: Path) -> None:
    """Remove a folder of ours; a file that the system keeps is tried twice."""
    for _ in range(2):
        if folder.is_dir() and not folder.is_symlink():
            forget(folder / JOURNAL)
            shutil.rmtree(folder, ignore_errors=True)


def _names(said: object) -> tuple[str, ...]:
    """Names that stay inside the folder; raises ValueError."""
    if not isinstance(said, list) or not all(isinstance(name, str) and is_inside(name) for name in said):
        raise ValueError("it names files outside of the folder")
    return tuple(said)


def is_inside(name: str) -> bool:
    """Whether a name leads nowhere but into the folder that it is relative to."""
    return bool(name) and not os.path.isabs(name) and ".." not in Path(name).parts


def moved_paths(value: Any, before: str, after: str) -> Any:
    """Plain values, with texts that begin with `before` as they are after the move."""
    if isinstance(value, dict):
        return {key: moved_paths(item, before, after) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(moved_paths(item, before, after) for item in value)
    return after + value.removeprefix(before) if isinstance(value, str) and value.startswith(before) else value


def _there(path: Path) -> bool:
    return os.path.lexists(path) and (path.is_symlink() or not path.is_dir())


def _move(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    source.replace(place)


def _remove_empty(folder: Path, until: Path) -> None:
    with contextlib.suppress(OSError):
        while folder != until:
            folder.rmdir()
            folder = folder.parent
