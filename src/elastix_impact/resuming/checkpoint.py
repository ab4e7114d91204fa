"""`checkpoint.pt`: what a run is continued from after it was killed, interrupted, or out of time.

The file appears whole or not at all, replaces the one before it, and goes when the run has ended. It holds tensors,
numbers and texts only: reading it runs nothing.
"""

import pickle
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, final

import torch

from elastix_impact.errors import InputError
from elastix_impact.io.atomic import output_errors, written_whole
from elastix_impact.registration.encoding import decode, encode
from elastix_impact.registration.state import RegistrationState
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.zoo.packing import check_packing_of

from .fingerprint import Fingerprint, differences

FILE_NAME = "checkpoint.pt"
FORMAT = 1

_UNREADABLE = (
    OSError, EOFError, KeyError, TypeError, ValueError, RuntimeError, NotImplementedError,
    pickle.UnpicklingError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What reading a file that is no checkpoint, or a damaged one, ends in."""


class Continued(Protocol):
    """The record of a run, as far as it goes on from process to process."""

    started: str
    resumed: list[str]
    files: list[str]
    warnings: list[str]
    seconds: dict[str, float]

    def continue_from(self, started: str, resumed: list[str], files: list[str], said: list[str]) -> None:
        """Take over what an earlier process had recorded."""
        ...


@final
@dataclass(frozen=True, eq=False)
class FinishedStage:
    """A stage that an earlier process has finished.

    Attributes
    ----------
    report
        What the record holds of it.
    transform
        The whole map so far, None if its kind can't be read here.
    transform_file
        Name of its transform file in the run's folder, or None.
    """

    report: dict[str, Any]
    transform: AbstractTransform | None
    transform_file: str | None

    def to_json(self) -> dict[str, Any]:
        """The stage as plain dictionaries."""
        return self.report


@final
class Checkpoint:
    """The checkpoint of a run, as a keeper of its registrations.

    Parameters
    ----------
    folder
        The run's.
    seconds
        Between two checkpoints in a loop; 0 = no checkpoints at all.
    fingerprint
        What the run depends on.
    record
        The run's record, of which files, warnings and times are kept; told the seconds that checkpoints cost.

    Attributes
    ----------
    stages
        Those that are finished, in order.
    registration
        The state of the stage at work, None at its start.
    """

    def __init__(
        self,
        folder: Path,
        seconds: float,
        fingerprint: Fingerprint,
        record: Continued,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._seconds, self._fingerprint, self._record = folder / FILE_NAME, seconds, fingerprint, record
        self._clock, self._last = clock, clock()
        self.stages: tuple[FinishedStage, ...] = ()
        self.registration: RegistrationState | None = None

    def resume(self) -> bool:
        """Take up what the file holds; False if there is none.

        Raises
        ------
        InputError
            If it can't be read, or is of a run that differs from this one.
        """
        if not self._path.exists():
            return False
        saved = _load(self._path)
        differing = differences(saved["fingerprint"], self._fingerprint)
        if differing:
            raise InputError(
                f"the run can't be continued: since its checkpoint was written {_listed(differing)} changed",
                where=str(self._path),
                expected="the same maps, images, models, seed, kind of device, threads and versions",
                remedy="Restore them, or run without --resume to begin anew",
            )
        for kept in saved["stages"]:
            transform = decode(kept["transform"], torch.device("cpu"))
            report = decode(kept["report"], torch.device("cpu"))
            self.stages += (FinishedStage(report, transform, kept["transform_file"]),)
        self.registration = None if saved["registration"] is None else RegistrationState.restored(saved["registration"])
        self._record.continue_from(saved["started"], saved["resumed"], saved["files"], saved["warnings"])
        return True

    def is_due(self) -> bool:
        """Whether the last checkpoint is old enough."""
        return self._seconds > 0 and self._clock() - self._last >= self._seconds

    def keep(self, state: RegistrationState) -> None:
        """Write a checkpoint in the middle of a stage."""
        self.registration = state
        self._write()

    def finish_stage(self, stage: FinishedStage) -> None:
        """Write a checkpoint between two stages."""
        self.stages, self.registration = (*self.stages, stage), None
        self._write()

    def remove(self) -> None:
        """Remove the file: the run begins anew, or has ended."""
        with output_errors(self._path):
            self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        if self._seconds <= 0:
            return
        began = time.perf_counter()
        stages = [
            {
                "report": encode(stage.report),
                "transform": encode(stage.transform),
                "transform_file": stage.transform_file,
            }
            for stage in self.stages
        ]
        content = {
            "format": FORMAT,
            "fingerprint": dict(self._fingerprint),
            "stages": stages,
            "registration": None if self.registration is None else self.registration.saved(),
            "started": self._record.started,
            "resumed": self._record.resumed,
            "files": self._record.files,
            "warnings": self._record.warnings,
        }
        with written_whole(self._path) as temporary:
            torch.save(content, temporary)
        self._last = self._clock()
        self._record.seconds["checkpoints"] += time.perf_counter() - began


def _load(path: Path) -> dict[str, Any]:
    check_packing_of(path)
    try:
        _check_sums(path)
        saved = torch.load(path, map_location="cpu", weights_only=True)
        if saved["format"] != FORMAT:
            raise ValueError(f"its format is {saved['format']}, this version reads {FORMAT}")
    except _UNREADABLE as error:
        raise InputError(
            f"the checkpoint can't be read: {' '.join(str(error).split())[:200]}",
            where=str(path),
            remedy="Run without --resume to begin anew",
        ) from error
    return saved


def _check_sums(path: Path) -> None:
    """Raise ValueError where a checksum of the archive fails: PyTorch would read other numbers."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"{damaged} in it is damaged")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
