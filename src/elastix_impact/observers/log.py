"""`elastix.log`: what was asked, what happened at each level, and how it ended, in elastix's layout.

Lines that other programs read (iteration tables, "Stopping condition:", "Final metric value  =" ...) are spelt as
elastix spells them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO, final

from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.io.atomic import output_errors
from elastix_impact.parameters.optimizer_plan import (
    AdamPlan,
    AsgdPlan,
    GradientDescentPlan,
    LbfgsPlan,
    OptimizerPlan,
    RegularStepPlan,
)
from elastix_impact.parameters.plan import LevelPlan, RegistrationPlan, StagePlan
from elastix_impact.registration.result import IterationRecord, LevelRecord
from elastix_impact.transforms.base import AbstractTransform

from .iteration_table import header_line, row_line

ELASTIX_NAMES = {
    "a": "SP_a",
    "A": "SP_A",
    "alpha": "SP_alpha",
    "sigmoid_max": "SigmoidMax",
    "sigmoid_min": "SigmoidMin",
    "sigmoid_scale": "SigmoidScale",
    "maximum_step_length": "MaximumStepLength",
    "minimum_step_length": "MinimumStepLength",
    "relaxation_factor": "RelaxationFactor",
    "minimum_gradient_magnitude": "MinimumGradientMagnitude",
    "gradient_magnitude_tolerance": "GradientMagnitudeTolerance",
    "step_length": "StepLength",
    "value_tolerance": "LineSearchValueTolerance",
    "gradient_tolerance": "LineSearchGradientTolerance",
    "learning_rate": "LearningRate",
    "beta1": "Beta1",
    "beta2": "Beta2",
    "epsilon": "Epsilon",
}
"""How elastix's log calls the optimiser's settings."""

LOG_LEVELS = ("off", "error", "warning", "info")


@final
class RunLog:
    """A log file that is flushed after every entry, so that it can be followed and survives a crash.

    Parameters
    ----------
    path
        The file.
    append
        Whether what it holds stays; else it is begun anew.
    level
        Entries below it are left out: ``"off"``, ``"error"``, ``"warning"`` or ``"info"``.
    echo
        Stream that gets the same entries, or None.

    Raises
    ------
    OutputError
        If the file can't be written.
    """

    def __init__(self, path: Path, *, append: bool = False, level: str = "info", echo: TextIO | None = None) -> None:
        self._threshold = LOG_LEVELS.index(level)
        self._echo = echo
        self._path = path
        with output_errors(path):
            if not append:
                path.unlink(missing_ok=True)  # what has the name is no file of ours to write through
            self._file = path.open("a" if append else "x", encoding="utf-8")

    def info(self, text: str) -> None:
        """Write an ordinary entry."""
        self._write("info", text)

    def warning(self, text: str) -> None:
        """Write a warning."""
        self._write("warning", f"WARNING: {text}")

    def error(self, text: str) -> None:
        """Write an error."""
        self._write("error", f"ERROR: {text}")

    def close(self) -> None:
        """Close the file."""
        with output_errors(self._path):
            self._file.close()

    def _write(self, level: str, text: str) -> None:
        if LOG_LEVELS.index(level) > self._threshold:
            return
        with output_errors(self._path):
            self._file.write(text + "\n")
            self._file.flush()
        if self._echo is not None:
            self._echo.write(text + "\n")
            self._echo.flush()


@final
class LogObserver:
    """Writes the levels of one stage into the log."""

    wants_parameters = False

    def __init__(self, log: RunLog) -> None:
        self._log = log
        self._plan: RegistrationPlan | None = None

    def on_start(self, plan: StagePlan, device: str) -> None:
        """Remember the plan, a native one, and say where it runs."""
        assert isinstance(plan, RegistrationPlan)
        self._plan = plan
        self._log.info(f"Device: {device}\nRandom seed: {plan.random_seed}")

    def on_phase(self, level: int, phase: str) -> None:
        """Do nothing: the seconds per phase are written at the end of a level."""
        del level, phase

    def on_level_start(self, level: int, iterations: int, transform: AbstractTransform, facts: dict[str, str]) -> None:
        """Write the level's facts and the table's header."""
        del transform
        lines = [f"\nResolution: {level}", *(f"  {name}: {value}" for name, value in facts.items())]
        lines.append(f"  maximum number of iterations: {iterations}")
        self._log.info("\n".join([*lines, header_line(self._level_plan(level))]))

    def on_iterations(self, level: int, rows: Sequence[IterationRecord], transform: AbstractTransform) -> bool:
        """Write the rows; never stops the run."""
        del transform
        plan = self._level_plan(level)
        self._log.info("\n".join(row_line(plan, row) for row in rows))
        return False

    def on_feature_map(self, name: str, features: Tensor, grid: Grid) -> None:
        """Name the map that is written."""
        self._log.info(f"Feature map {name}: {features.shape[0]} channels of {grid.size} voxels")

    def on_level_end(self, record: LevelRecord, transform: AbstractTransform) -> None:
        """Write times, stopping condition, raw metric, and what the optimiser ran with."""
        del transform
        name = _optimizer_name(self._level_plan(record.level).optimizer)
        numbers = _elastix_settings(record)
        others = ", ".join(
            f"{key} {_short(value)}" for key, value in record.settings.items() if key not in ELASTIX_NAMES
        )
        lines = [
            f"Time spent in resolution {record.level} (ITK initialization and iterating): "
            f"{sum(record.seconds.values()):.3g}",
            *(f"  {phase}: {seconds:.2f} s" for phase, seconds in record.seconds.items()),
            f"Stopping condition: {record.stop_reason.value}.",
            f"Samples: {record.samples} per iteration, {record.valid_fraction:.1%} of them valid",
            *_raw_metric_lines(record),
            *record.notes,
            *([f"Estimates: {others}"] if others else []),
            f"Settings of {name} in resolution {record.level}:",
            *(f"( {key} {_fixed(value)} )" for key, value in numbers.items()),
        ]
        self._log.info("\n".join(lines))

    def write_summary(self, levels: Sequence[LevelRecord]) -> None:
        """Write the last metric value, and the optimiser's settings of all these levels as one map."""
        assert self._plan is not None
        settings = [_elastix_settings(record) for record in levels]
        names = list(dict.fromkeys(key for level in settings for key in level))
        lines = [f"\nFinal metric value  = {levels[-1].final_metric:.6g}"]
        lines.append(f"Settings of {_optimizer_name(self._plan.levels[0].optimizer)} for all resolutions:")
        for key in names:
            lines.append(f"( {key} {' '.join(_fixed(level[key]) for level in settings if key in level)} )")
        self._log.info("\n".join(lines))

    def _level_plan(self, level: int) -> LevelPlan:
        assert self._plan is not None
        return self._plan.levels[level]


def _elastix_settings(record: LevelRecord) -> dict[str, float]:
    """What the optimiser ran with, under elastix's names, as far as elastix has one."""
    return {ELASTIX_NAMES[key]: float(value) for key, value in record.settings.items() if key in ELASTIX_NAMES}


def _fixed(value: float) -> str:
    """Six decimals as elastix writes them, unless they would hide the number."""
    return f"{value:.6f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.6g}"


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


_OPTIMIZER_NAMES = {
    AsgdPlan: "AdaptiveStochasticGradientDescent",
    GradientDescentPlan: "StandardGradientDescent",
    RegularStepPlan: "RegularStepGradientDescent",
    LbfgsPlan: "QuasiNewtonLBFGS",
    AdamPlan: "Adam",
}


def _optimizer_name(optimizer: OptimizerPlan) -> str:
    return _OPTIMIZER_NAMES[type(optimizer)]


def _raw_metric_lines(record: LevelRecord) -> list[str]:
    """The metric before normalisation, first and last, per part: comparable between levels."""
    return [
        f"Raw metric {name}: {first:.6g} -> {record.raw_metric_final[name]:.6g}"
        for name, first in record.raw_metric_first.items()
        if name in record.raw_metric_final
    ]
