"""`registration.json`: everything about a run that a person or a report may ask later."""

import dataclasses
import datetime
import os
import platform
import sys
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Protocol, final

import torch

from elastix_impact import __version__
from elastix_impact.carrying.carried_file import CarriedFile
from elastix_impact.evaluation.landmarks import LandmarkSummary
from elastix_impact.evaluation.summary import EvaluationSummary
from elastix_impact.geometry.image import Image
from elastix_impact.io.input_files import file_facts
from elastix_impact.io.json_text import json_text
from elastix_impact.io.system_memory import memory_of_process
from elastix_impact.judging.guarding import GuardReport
from elastix_impact.judging.seeds import SeedComparison
from elastix_impact.judging.verdict import Verdict
from elastix_impact.observers.processor_clock import ProcessorClock
from elastix_impact.parameters.plan import RegistrationPlan
from elastix_impact.parameters.reader import EffectiveValue
from elastix_impact.registration.result import RegistrationResult
from elastix_impact.staging.swap import moved_paths

Status = Literal["running", "complete", "failed", "interrupted", "error"]

FORMAT_VERSION = 1


class StageReport(Protocol):
    """What the record holds of a stage, whoever ran it."""

    def to_json(self) -> dict[str, Any]:
        """The stage as plain dictionaries."""
        ...


@final
@dataclass(frozen=True)
class StageRecord:
    """One parameter map: what it asked for, every value that resolution used, and what happened."""

    plan: RegistrationPlan
    effective: tuple[EffectiveValue, ...]
    result: RegistrationResult
    guard: GuardReport | None = None

    @cached_property
    def map_facts(self) -> dict[str, Any]:
        """What the map was when the stage had run."""
        return file_facts(Path(self.plan.source), alone=True)

    def to_json(self) -> dict[str, Any]:
        """The stage as plain dictionaries; seconds per phase, samples, metric and its raw values per level."""
        levels = []
        for level in self.result.levels:
            row = dataclasses.asdict(level)
            levels.append({**row, "stop_reason": level.stop_reason.name})
        return {
            "engine": "native",
            "parameter_map": self.map_facts,
            "device": self.result.device,
            "random_seed": self.plan.random_seed,
            "stop_reason": self.result.stop_reason.name,
            "stop_sentence": self.result.stop_reason.value,
            "seconds": self.result.seconds,
            "levels": levels,
            **({} if self.result.search is None else {"search": self.result.search.to_json()}),
            **({} if self.guard is None else {"guard": self.guard.to_json()}),
            "parameters": [dataclasses.asdict(value) for value in self.effective],
            "plan": self.plan.to_json(),
        }


@final
@dataclass
class RunRecord:
    """One run of a case; filled in as the run goes, and written whenever its status changes.

    Attributes
    ----------
    status
        ``"complete"`` only if every stage ended well and all files are written.
    message
        Why it is not complete: the sentence of the stop reason or the error.
    inputs
        Facts per role: path, and for images size (voxels), spacing (mm), origin (mm), direction.
    files_read
        Role, path, size in bytes and SHA-256 of each file that the run read, maps excluded.
    staged_in
        The folder in which the run worked before its files took their places; paths into it are told as into `out`.
    evaluation
        What the result was measured by, None before that; see `judging.evaluate`.
    resumed
        When the run was continued from a checkpoint; `started` is the first process's then, `seconds` the last's.
    stage_evaluations
        The same after each stage, by its number, as far as they were measured.
    carried
        What was carried along with the result, see `propagate`.
    verdict
        What to think of the result; None before that, or if it could not be judged.
    seeds
        How far the results of other seeds lie from this one; None if they were not asked for or can't be compared.
    forecast
        What memory and time were foreseen, see `Forecast`; empty if they could not be.
    files
        Names of the files written into `out`, in order.
    seconds
        Wall time: ``"total"``, and of it ``"evaluation"``, ``"checkpoints"`` and ``"seeds"``, the further runs.
    """

    out: Path
    command: tuple[str, ...]
    status: Status = "running"
    message: str = ""
    started: str = field(default_factory=lambda: _now())
    finished: str = ""
    resumed: list[str] = field(default_factory=list)
    threads: int = 0
    processors: ProcessorClock = field(default_factory=ProcessorClock)
    deterministic: bool = False
    inputs: dict[str, Any] = field(default_factory=dict)
    files_read: list[dict[str, Any]] = field(default_factory=list)
    staged_in: Path | None = None
    stages: list[StageReport] = field(default_factory=list)
    evaluation: EvaluationSummary | None = None
    stage_evaluations: dict[int, EvaluationSummary] = field(default_factory=dict)
    carried: list[CarriedFile] = field(default_factory=list)
    verdict: Verdict | None = None
    seeds: SeedComparison | None = None
    warnings: list[str] = field(default_factory=list)
    forecast: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: {"checkpoints": 0.0})

    @property
    def landmarks(self) -> dict[str, LandmarkSummary]:
        """TRE summaries in mm: ``"before"`` (identity), ``"initial"`` (initial transform, if given), ``"after"``."""
        if self.evaluation is None or self.evaluation.landmarks is None:
            return {}
        return self.evaluation.landmarks.summaries()

    def continue_from(self, started: str, resumed: list[str], files: list[str], said: list[str]) -> None:
        """Take over what an earlier process had recorded."""
        self.started, self.resumed = started, [*resumed, _now()]
        self.files.extend(name for name in files if name not in self.files)
        self.warnings.extend(text for text in said if text not in self.warnings)

    @property
    def stage_rows(self) -> dict[str, EvaluationSummary]:
        """What was measured after each stage, by number and name of its map."""
        maps = {number: self.stages[number].to_json()["parameter_map"]["path"] for number in self.stage_evaluations}
        return {f"{number} {Path(maps[number]).stem}": found for number, found in self.stage_evaluations.items()}

    @property
    def is_bad(self) -> bool:
        """Whether the verdict on the result is that it is bad."""
        return self.verdict is not None and self.verdict.word == "bad"

    def finish(self, status: Status, message: str = "") -> None:
        """Set how the run ended, and when."""
        self.status, self.message, self.finished = status, message, _now()

    def to_json(self) -> dict[str, Any]:
        """The record as plain dictionaries, lists and numbers."""
        content = self._content()
        return (
            content
            if self.staged_in is None
            else moved_paths(content, f"{self.staged_in}{os.sep}", f"{self.out}{os.sep}")
        )

    def _content(self) -> dict[str, Any]:
        return {
            "format_version": FORMAT_VERSION,
            "complete": self.status == "complete",
            "status": self.status,
            "message": self.message,
            "started": self.started,
            "finished": self.finished,
            "resumed": self.resumed,
            "command_line": list(self.command),
            "versions": versions(),
            "machine": {
                "platform": platform.platform(),
                "processors": os.cpu_count(),
                "threads": self.threads,
                "waited_for_processors": self.processors.waited(),
                "deterministic": self.deterministic,
            },
            "inputs": self.inputs,
            "files_read": self.files_read,
            "stages": [self._stage(number) for number in range(len(self.stages))],
            "verdict": None if self.verdict is None else self.verdict.to_json(),
            **({} if self.seeds is None else {"seeds": self.seeds.to_json()}),
            "landmarks_mm": {name: summary.to_json() for name, summary in self.landmarks.items()},
            "carried": [one.to_json() for one in self.carried],
            "forecast": self.forecast,
            "memory": {"peak_bytes": None if (measured := memory_of_process()) is None else measured[1]},
            "warnings": self.warnings,
            "files": self.files,
            "seconds": self.seconds,
        }

    def _stage(self, number: int) -> dict[str, Any]:
        """A stage with what was measured after it."""
        found = self.stage_evaluations.get(number)
        return {**self.stages[number].to_json(), "evaluation": None if found is None else found.to_json()}

    def to_text(self) -> str:
        """The record as JSON text; numbers that JSON lacks (NaN, infinity) become null."""
        return json_text(self.to_json())


def versions() -> dict[str, str]:
    """Versions of what the result depends on."""
    return {
        "elastix_impact": __version__,
        "python": sys.version.split()[0],
        "torch": str(torch.__version__),
        "SimpleITK": metadata.version("SimpleITK"),
        "numpy": metadata.version("numpy"),
    }


def image_facts(image: Image) -> dict[str, Any]:
    """Path and geometry of an image: size in voxels, spacing and origin in mm."""
    return {"path": image.name, "pixel_type": image.pixel_type, **dataclasses.asdict(image.grid)}


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")
