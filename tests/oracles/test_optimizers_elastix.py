"""RegularStepGradientDescent and QuasiNewtonLBFGS beside itk-elastix's on the same problem; Adam beside PyTorch's."""

import json
from pathlib import Path

import pytest

from elastix_impact.cli.main import main
from small_case import write_small_case

MAP = """\
(Registration "MultiResolutionRegistration")
(FixedImagePyramid "FixedSmoothingImagePyramid")
(MovingImagePyramid "MovingSmoothingImagePyramid")
(Interpolator "LinearInterpolator")
(ResampleInterpolator "FinalLinearInterpolator")
(Resampler "DefaultResampler")
(Transform "TranslationTransform")
(Metric "AdvancedMeanSquares")
(ImageSampler "Full")
(NumberOfResolutions 1)
(FixedImagePyramidSchedule 1 1 1)
(MovingImagePyramidSchedule 1 1 1)
(AutomaticTransformInitialization "false")
(AutomaticScalesEstimation "false")
(WriteResultImage "false")
(RequiredRatioOfValidSamples 0.05)
"""
REGULAR = """\
(Optimizer "RegularStepGradientDescent")
(MaximumNumberOfIterations 40)
(MaximumStepLength 2.0)
(MinimumStepLength 0.05)
"""
QUASI_NEWTON = """\
(Optimizer "QuasiNewtonLBFGS")
(MaximumNumberOfIterations 8)
(StepLength 1.0)
"""


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    return lines[0], lines[1:]


def _both(tmp_path: Path, optimizer: str) -> tuple[tuple, tuple]:
    """The iteration tables of ours and of itk-elastix, header and rows."""
    itk = pytest.importorskip("itk", reason="itk-elastix is not installed")
    data = write_small_case(tmp_path / "Data")
    path = tmp_path / "map.txt"
    path.write_text(MAP + optimizer)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    theirs.mkdir()
    images = ["-f", str(data / "FixedImage.mha"), "-m", str(data / "MovingImage.mha")]
    assert main(["register", *images, "-p", str(path), "-o", str(ours), "--quiet"]) == 0
    parameters = itk.ParameterObject.New()
    parameters.AddParameterFile(str(path))
    itk.elastix_registration_method(
        itk.imread(images[1], itk.F), itk.imread(images[3], itk.F), parameter_object=parameters,
        output_directory=str(theirs), number_of_threads=1,
    )  # fmt: skip
    return tuple(_rows(folder / "IterationInfo.0.R0.txt") for folder in (ours, theirs))


def test_regular_steps_are_those_of_elastix(tmp_path: Path) -> None:
    (header, ours), (their_header, theirs) = _both(tmp_path, REGULAR)
    assert header == their_header
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs):
        assert mine[2] == other[2]
        # At the identity points fall on voxels, where a linear interpolation has two slopes: the paths differ a little.
        assert float(mine[1]) == pytest.approx(float(other[1]), rel=1e-2)
    assert "Minimum step size has been reached" in (tmp_path / "ours" / "elastix.log").read_text()


def test_the_quasi_newton_method_gets_as_low_as_that_of_elastix(tmp_path: Path) -> None:
    (header, ours), (their_header, theirs) = _both(tmp_path, QUASI_NEWTON)
    mine = float(ours[-1][header.index("2:Metric")])
    other = float(theirs[-1][their_header.index("2:Metric")])
    assert mine <= 1.01 * other + 1e-3


def test_adam_registers_the_small_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_small_case(tmp_path / "Data")
    path = data / "ParameterMap.txt"
    text = path.read_text().replace("/Data/", f"{data}/").replace("AdaptiveStochasticGradientDescent", "Adam")
    path.write_text(text + "(LearningRate 0.5)\n")
    assert main(["run", "--data", str(data), "--out", str(tmp_path / "out"), "--quiet", "--json"]) == 0
    landmarks = json.loads(capsys.readouterr().out)["landmarks_mm"]
    assert landmarks["after"]["mean"] < 0.4 * landmarks["before"]["mean"]
