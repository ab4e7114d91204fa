"""Iteration tables against those that real elastix wrote (itk-elastix 0.25, elastix 5.3.1)."""

from dataclasses import replace

import pytest

from elastix_impact.observers.iteration_table import header_line, row_line
from elastix_impact.parameters.optimizer_plan import GradientDescentPlan
from elastix_impact.parameters.plan import RegistrationPlan
from elastix_impact.registration.result import IterationRecord

GRADIENT_DESCENT = GradientDescentPlan(
    maximum_number_of_iterations=12, maximum_number_of_sampling_attempts=0, sp_a=0.001, sp_A=20.0, sp_alpha=0.602
)


def test_asgd_header_and_row(mind_plan: RegistrationPlan) -> None:
    level = mind_plan.levels[0]
    row = IterationRecord(10, 283.60327, 9.0, 0.147819, 73.338604, 0.44, 1.0)
    assert header_line(level) == "1:ItNr\t2:Metric\t3a:Time\t3b:StepSize\t4:||Gradient||\tTime[ms]"
    assert row_line(level, row) == "10\t283.603270\t9.000000\t0.147819\t73.338604\t0.4"


def test_gradient_descent_has_no_time_and_another_name_for_the_step(mind_plan: RegistrationPlan) -> None:
    level = replace(mind_plan.levels[0], optimizer=GRADIENT_DESCENT)
    row = IterationRecord(3, 1652.844859, 3.0, 0.000148, 183.082805, 0.5, 1.0)
    assert header_line(level) == "1:ItNr\t2:Metric\t3:StepSize\t4:||Gradient||\tTime[ms]"
    assert row_line(level, row) == "3\t1652.844859\t0.000148\t183.082805\t0.5"


def test_each_of_several_metrics_has_its_columns(mind_plan: RegistrationPlan) -> None:
    level = mind_plan.levels[0]
    second = replace(level.terms[0], name="Metric1", weight=0.5)
    level = replace(level, terms=(*level.terms, second), use_relative_weights=True)
    parts = {"Metric0": 1.5, "Metric1": 2.5, "Metric0 gradient": 3.0, "Metric1 gradient": 4.0}
    row = IterationRecord(1, 2.75, 0.0, 0.1, 5.0, 0.5, 1.0, parts)
    names = ["1:ItNr", "2:Metric", "2:Metric0", "2:Metric1", "3a:Time", "3b:StepSize", "4:||Gradient0||"]
    assert header_line(level).split("\t") == [*names, "4:||Gradient1||", "4:||Gradient||", "Time[ms]"]
    assert row_line(level, row).split("\t")[1:4] == ["2.750000", "1.500000", "2.500000"]
    assert "Gradient0" not in header_line(replace(level, use_relative_weights=False))


@pytest.mark.parametrize("name", ["AdaptiveStochasticGradientDescent", "StandardGradientDescent"])
def test_real_elastix_writes_the_same_columns(name: str, mind_plan: RegistrationPlan, tmp_path) -> None:
    level = mind_plan.levels[0]
    if not name.startswith("Adaptive"):
        level = replace(level, optimizer=GRADIENT_DESCENT)
    itk = pytest.importorskip("itk", reason="itk-elastix is not installed")
    written = run_elastix(itk, name, tmp_path).splitlines()
    assert written[0] == header_line(level)
    numbers = [float(cell) for cell in written[2].split("\t")]
    iteration, metric, *middle, gradient, milliseconds = numbers
    time, step = middle if len(middle) == 2 else (0.0, *middle)
    row = IterationRecord(int(iteration), metric, time, step, gradient, milliseconds, 1.0)
    assert row_line(level, row) == written[2]


def run_elastix(itk, optimizer: str, folder) -> str:
    """The iteration table of a three-iteration translation of two squares."""
    import numpy as np

    pixels = np.zeros((24, 24), np.float32)
    pixels[8:16, 8:16] = 100
    fixed, moving = itk.image_from_array(pixels), itk.image_from_array(np.roll(pixels, 1, axis=1))
    parameters = itk.ParameterObject.New()
    chosen = parameters.GetDefaultParameterMap("translation", 1)
    chosen["Metric"] = ["AdvancedMeanSquares"]
    chosen["Optimizer"] = [optimizer]
    chosen["MaximumNumberOfIterations"] = ["3"]
    chosen["SP_a"] = ["0.001"]
    chosen["WriteIterationInfo"] = ["true"]
    parameters.AddParameterMap(chosen)
    method = itk.ElastixRegistrationMethod.New(fixed, moving)
    method.SetParameterObject(parameters)
    method.SetOutputDirectory(str(folder))
    method.SetLogToConsole(False)
    method.UpdateLargestPossibleRegion()
    return (folder / "IterationInfo.0.R0.txt").read_text()
