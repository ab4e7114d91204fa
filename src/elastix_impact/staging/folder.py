"""The folder that a run writes into: checked before anything long; a file appears in it only when it is whole."""

import os
import tempfile
from pathlib import Path
from typing import final

from elastix_impact.errors import OutputError
from elastix_impact.io.atomic import output_errors, write_text_whole

PROBE_BYTES = 1 << 16


@final
class RunFolder:
    """Where a run writes.

    Attributes
    ----------
    path
        The folder, absolute.
    target
        Where its files will lie when the run has ended well, absolute; `path` itself unless they are staged.
    files
        Names of the files written so far, in order, each once.
    """

    def __init__(self, path: Path, target: Path | None = None) -> None:
        self.path = path.absolute()
        self.target = self.path if target is None else target.absolute()
        self.files: list[str] = []

    @staticmethod
    def open(path: Path, *, create: bool) -> "RunFolder":
        """The folder at `path`, made if `create`, after a test that files can be written there.

        Raises
        ------
        OutputError
            If it is missing (and not to be made), is not a folder, can't be written, or its disk is full.
        """
        with output_errors(path):
            if path.exists() and not path.is_dir():
                raise OutputError("this is a file, not a folder", where=str(path), remedy="Give another output folder")
            if create:
                path.mkdir(parents=True, exist_ok=True)
            elif not path.exists():
                raise OutputError("the output folder does not exist", where=str(path), remedy="Make the folder first")
            with tempfile.NamedTemporaryFile(dir=path, prefix=".probe-") as probe:
                probe.write(bytes(PROBE_BYTES))
                probe.flush()
                os.fsync(probe.fileno())
        return RunFolder(path)

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file whole: under a temporary name, then renamed."""
        target = self.path / name
        write_text_whole(target, text)
        return self.note(target)

    def place(self, name: str) -> Path:
        """Where to write the file of this name: below `path`; if it leads out of `target`, where it leads."""
        there = (self.target / name).resolve()
        return self.path / name if there.is_relative_to(self.target.resolve()) else there

    def note(self, path: Path) -> Path:
        """Remember that `path` was written; returns it."""
        name = str(path.relative_to(self.path)) if path.is_relative_to(self.path) else str(path)
        if name not in self.files:
            self.files.append(name)
        return path
