"""RegularStepGradientDescent and QuasiNewtonLBFGS beside itk-elastix's on the same images; Adam on a whole case."""

import json
from dataclasses import replace
from pathlib import Path

import itk
import pytest
import torch
from elastix_steps import PARAMETERS, itk_image, noise
from metric_cases import GRIDS, OFFSET, Pair, make_pair, start_transform

from elastix_impact.cli.main import main
from elastix_impact.observers.iteration_table import header_line, row_line
from elastix_impact.parameters.resolve import plan_or_raise
from elastix_impact.parameters.text import parse_parameter_text, write_parameter_text
from elastix_impact.registration.observe import NullObserver
from elastix_impact.registration.register import register
from elastix_impact.registration.result import IterationRecord, LevelRecord, RegistrationResult, StopReason
from elastix_impact.transforms.base import AbstractTransform
from small_case import write_small_case

SCALES = {"Affine": [2000.0, 3000.0, 2500.0, 1500.0, 1.0, 2.0], "BSpline": None}
REGULAR = {"Optimizer": ["RegularStepGradientDescent"], "MaximumNumberOfIterations": [20]}
LENGTHS = {
    "Affine": {"MaximumStepLength": [1.0], "MinimumStepLength": [0.001], "RelaxationFactor": [0.7]},
    "BSpline": {"MaximumStepLength": [4.0], "MinimumStepLength": [0.01]},
}


def unlike_pair(dimension: int) -> Pair:
    """Images that no transform makes equal, so that values stay far from zero."""
    pair = make_pair(dimension, masked=False)
    other = noise(GRIDS[dimension], 2, world_offset=OFFSET[dimension])
    return replace(pair, moving=replace(pair.moving, data=pair.moving.data * 0.8 + other.data * 0.2))


class Tables:
    """An observer that keeps all rows."""

    def __init__(self) -> None:
        self.rows: list[IterationRecord] = []
        self.null = NullObserver()

    wants_parameters = False

    def on_iterations(self, level: int, rows: list[IterationRecord], transform: AbstractTransform) -> bool:
        del level, transform
        self.rows += rows
        return False

    def __getattr__(self, name: str):
        return getattr(self.null, name)


class Both:
    """The same map, from the same images, in both programs: tables by column, and how they ended."""

    def __init__(self, folder: Path, kind: str, dimension: int, entries: dict[str, list[object]]) -> None:
        pair = unlike_pair(dimension)
        _, transform = start_transform(kind, pair.fixed.grid)
        scales = {"Scales": SCALES[kind]} if SCALES[kind] and dimension == 2 else {}
        values = {name: value for name, value in PARAMETERS.items() if not name.startswith(("SP_", "WriteTransform"))}
        values |= {"Metric": ["AdvancedMeanSquares"]} | transform | scales | entries
        text = {name: tuple(str(value) for value in several) for name, several in values.items()}
        plan = plan_or_raise(parse_parameter_text(write_parameter_text(text), "map.txt"), dimension=dimension)
        observer = Tables()
        self.result: RegistrationResult = register(
            plan, pair.fixed, pair.moving, find_model=lambda path, _: Path(path), device=torch.device("cpu"),
            observers=[observer],
        )  # fmt: skip
        self.level: LevelRecord = self.result.levels[0]
        self.header = header_line(plan.levels[0]).split("\t")
        self.ours = [dict(zip(self.header, row_line(plan.levels[0], row).split("\t"))) for row in observer.rows]
        parameters = itk.ParameterObject.New()
        parameters.AddParameterMap(text)
        fixed, moving = itk_image(pair.fixed), itk_image(pair.moving)
        run = itk.ElastixRegistrationMethod[type(fixed), type(moving)].New(fixed, moving)
        run.SetParameterObject(parameters)
        run.SetOutputDirectory(str(folder))
        run.SetLogToConsole(False)
        run.SetLogToFile(True)
        run.SetNumberOfThreads(1)
        run.UpdateLargestPossibleRegion()
        header, *rows = (folder / "IterationInfo.0.R0.txt").read_text().splitlines()
        self.their_header = header.split("\t")
        self.theirs = [dict(zip(self.their_header, row.split("\t"))) for row in rows]
        self.their_log = (folder / "elastix.log").read_text()

    def numbers(self, column: str) -> tuple[list[float], list[float]]:
        return tuple([float(row[column]) for row in rows] for rows in (self.ours, self.theirs))


@pytest.mark.parametrize("dimension", [2, 3], ids=["2-D", "3-D"])
@pytest.mark.parametrize("kind", ["Affine", "BSpline"])
def test_regular_steps_are_those_of_elastix(kind: str, dimension: int, tmp_path: Path) -> None:
    both = Both(tmp_path, kind, dimension, REGULAR | LENGTHS[kind])
    assert both.header == both.their_header
    assert len(both.ours) == len(both.theirs) == 20
    assert [row["3:StepSize"] for row in both.ours] == [row["3:StepSize"] for row in both.theirs]
    assert len({row["3:StepSize"] for row in both.ours}) > 1, "the case must exercise a turn"
    for column in ("2:Metric", "4:||Gradient||"):
        ours, theirs = both.numbers(column)
        assert ours == pytest.approx(theirs, rel=TOLERANCE[column])
    assert f"{both.result.stop_reason.value}." in both.their_log


TOLERANCE = {"2:Metric": 1e-4, "4:||Gradient||": 1e-3}


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [({"MinimumStepLength": [0.1]}, "Minimum step size"), ({"MinimumGradientMagnitude": [20.0]}, "Minimum gradient")],
)
def test_regular_steps_end_where_those_of_elastix_do(entries: dict, sentence: str, tmp_path: Path) -> None:
    """The iteration that makes no step has no row, and the final value is the one measured there."""
    both = Both(tmp_path, "Affine", 2, REGULAR | LENGTHS["Affine"] | {"MaximumNumberOfIterations": [60]} | entries)
    assert both.result.stop_reason.value.startswith(sentence)
    assert f"Stopping condition: {both.result.stop_reason.value}." in both.their_log
    assert len(both.ours) == len(both.theirs) == both.level.iterations
    final = float(both.their_log.split("Final metric value  = ")[1].split()[0])
    assert both.level.final_metric == pytest.approx(final, rel=1e-4)


@pytest.mark.parametrize("dimension", [2, 3], ids=["2-D", "3-D"])
@pytest.mark.parametrize("kind", ["Affine", "BSpline"])
def test_the_quasi_newton_method_is_that_of_elastix(kind: str, dimension: int, tmp_path: Path) -> None:
    both = Both(tmp_path, kind, dimension, {"Optimizer": ["QuasiNewtonLBFGS"], "MaximumNumberOfIterations": [15]})
    assert both.header == both.their_header
    assert len(both.ours) == len(both.theirs) == 15
    ours, theirs = both.numbers("2:Metric")
    assert ours == pytest.approx(theirs, rel=1e-5)
    for column, tolerance in LINES.items():
        ours, theirs = (numbers[:9] for numbers in both.numbers(column))
        assert ours == pytest.approx(theirs, rel=tolerance, abs=1e-4)
    for column in ("1b:LineItNr", "5:Phase", "6a:Wolfe1", "6b:Wolfe2", "7:LinSrchStopCondition"):
        assert [row[column] for row in both.ours[:9]] == [row[column] for row in both.theirs[:9]]
    assert f"Stopping condition: {both.result.stop_reason.value}." in both.their_log


LINES = {"3:StepLength": 1e-3, "4a:||Gradient||": 1e-3, "4b:||SearchDir||": 1e-3, "4c:DirGradient": 1e-2}
"""In float32; later iterations of the affine case are within rounding of the minimum."""


def test_the_quasi_newton_method_ends_where_the_gradient_has_vanished(tmp_path: Path) -> None:
    entries = {"Optimizer": ["QuasiNewtonLBFGS"], "GradientMagnitudeTolerance": [1.0]}
    both = Both(tmp_path, "BSpline", 2, entries)
    assert both.result.stop_reason is StopReason.GRADIENT_VANISHED
    assert f"Stopping condition: {both.result.stop_reason.value}." in both.their_log
    assert len(both.ours) == len(both.theirs) == both.level.iterations
    final = float(both.their_log.split("Final metric value  = ")[1].split()[0])
    assert both.level.final_metric == pytest.approx(final, rel=1e-4)


def test_the_quasi_newton_method_ends_where_a_line_search_fails(tmp_path: Path) -> None:
    """elastix spends the last evaluation on going back to the best point, which we remember: one trial less."""
    entries = {"Optimizer": ["QuasiNewtonLBFGS"], "StepLength": [1e-3]}
    both = Both(tmp_path, "BSpline", 2, entries | {"MaximumNumberOfLineSearchIterations": [4]})
    assert both.result.stop_reason is StopReason.WOLFE_VIOLATED
    assert f"Stopping condition: {both.result.stop_reason.value}." in both.their_log
    (ours,), (theirs,) = both.ours, both.theirs
    for column in ("1b:LineItNr", "6a:Wolfe1", "6b:Wolfe2", "7:LinSrchStopCondition"):
        assert ours[column] == theirs[column]
    assert float(ours["3:StepLength"]) == pytest.approx(0.085)


def test_adam_registers_the_small_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_small_case(tmp_path / "Data")
    path = data / "ParameterMap.txt"
    text = path.read_text().replace("/Data/", f"{data}/").replace("AdaptiveStochasticGradientDescent", "Adam")
    path.write_text(text + "(LearningRate 0.5)\n")
    assert main(["run", "--data", str(data), "--out", str(tmp_path / "out"), "--quiet", "--json"]) == 0
    landmarks = json.loads(capsys.readouterr().out)["landmarks_mm"]
    assert landmarks["after"]["mean"] < 0.4 * landmarks["before"]["mean"]
