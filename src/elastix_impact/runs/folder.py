"""The folder of a run: it is checked before anything long, and a file appears in it only when it is whole."""

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import final

from elastix_impact.errors import OutputError
from elastix_impact.io.atomic import output_errors, write_text_whole

_STAGE_FILE = re.compile(
    r"(TransformParameters|IterationInfo|FixedImagePyramid0|MovingImagePyramid0)\.(\d+)([.-].*)?\.\w+"
)
_MEASURES_AND_CARRIED = re.compile(
    r"evaluation\.json|(landmarks|labels)\.csv|(moved_labels|fixed_points_in_moving|moving_points_in_fixed)\.[\w.]+"
)
PROBE_BYTES = 1 << 16


@final
class RunFolder:
    """Where a run writes.

    Attributes
    ----------
    path
        The folder, absolute.
    files
        Names of the files written so far, in order, each once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
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

    def clear_stages(self, stages: int, result_names: Iterable[str], keep: Iterable[Path]) -> None:
        """Remove what an earlier run left under the names of the first `stages` stages, its measures, what it carried.

        Otherwise a run that is interrupted would leave old results that look like its own. Files in `keep` stay, with
        those that differ from them only in the suffix (the data of a header).
        """
        kept = {path.resolve().with_suffix("") for path in keep}
        names = "|".join(re.escape(name) for name in result_names)
        result = re.compile(rf"({names})\.(\d+)(\.R\d+)?\.[\w.]+")
        for path in self.path.iterdir():
            match = _STAGE_FILE.fullmatch(path.name) or result.fullmatch(path.name)
            ours = _MEASURES_AND_CARRIED.fullmatch(path.name) or (match is not None and int(match[2]) < stages)
            if ours and path.is_file() and path.resolve().with_suffix("") not in kept:
                path.unlink()

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file whole: under a temporary name, then renamed."""
        target = self.path / name
        write_text_whole(target, text)
        return self.note(target)

    def note(self, path: Path) -> Path:
        """Remember that `path` was written; returns it."""
        name = str(path.relative_to(self.path)) if path.is_relative_to(self.path) else str(path)
        if name not in self.files:
            self.files.append(name)
        return path
