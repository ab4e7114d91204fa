"""Maps that itk-elastix runs: alone and in chains with native ones, without the wheel, and when they fail."""

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("itk", reason="itk-elastix is not installed")

from elastix_impact.cli.main import main
from elastix_impact.io.read_transform import read_initial_transform
from small_case import write_small_case

FOREIGN = """\
(Registration "MultiResolutionRegistration")
(FixedImagePyramid "FixedSmoothingImagePyramid")
(MovingImagePyramid "MovingSmoothingImagePyramid")
(Interpolator "LinearInterpolator")
(ResampleInterpolator "FinalBSplineInterpolator")
(Resampler "DefaultResampler")
(Transform "{transform}")
(Optimizer "{optimizer}")
(Metric "AdvancedMeanSquares")
(ImageSampler "RandomCoordinate")
(NumberOfSpatialSamples 500)
(NewSamplesEveryIteration "true")
(NumberOfResolutions 1)
(MaximumNumberOfIterations 60)
(AutomaticTransformInitialization "false")
(AutomaticScalesEstimation "true")
(ResultImageFormat "mha")
(HowToCombineTransforms "Compose")
"""


@pytest.fixture
def case(tmp_path: Path) -> Path:
    data = write_small_case(tmp_path / "Data")
    path = data / "ParameterMap.txt"
    path.write_text(path.read_text().replace("/Data/", f"{data}/"))
    return data


def _map(folder: Path, name: str) -> Path:
    """A translation by an optimiser that is not native."""
    path = folder / name
    path.write_text(FOREIGN.format(transform="TranslationTransform", optimizer="CMAEvolutionStrategy"))
    return path


def _register(case: Path, out: Path, *maps: Path, seeds: int = 1) -> int:
    files = {
        "-f": case / "FixedImage.mha", "-m": case / "MovingImage.mha", "-o": out,
        "--fixed-points": case / "Fixed_landmarks.txt", "--moving-points": case / "Moving_landmarks.txt",
    }  # fmt: skip
    words = [str(word) for pair in files.items() for word in pair]
    return main(
        ["register", "--quiet", "--seeds", str(seeds), *words, *(word for one in maps for word in ("-p", str(one)))]
    )


def _record(out: Path) -> dict:
    return json.loads((out / "registration.json").read_text())


def test_a_foreign_optimiser_runs_in_itk_elastix(case: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert _register(case, out, _map(tmp_path, "shift.txt")) == 0
    assert "handed on to itk-elastix" in capsys.readouterr().err
    record = _record(out)
    assert record["complete"]
    (stage,) = record["stages"]
    assert stage["engine"].startswith("itk-elastix ")
    assert stage["because_of"] == ["CMAEvolutionStrategy"]
    assert record["landmarks_mm"]["after"]["mean"] < 0.3 * record["landmarks_mm"]["before"]["mean"]
    names = {path.name for path in out.iterdir()}
    assert names == {
        "TransformParameters.0.txt", "result.0.mha", "elastix.log", "registration.json", "IterationInfo.0.R0.txt",
        "evaluation.json", "landmarks.csv",
    }  # fmt: skip
    assert "Final metric value" in (out / "elastix.log").read_text()


def test_no_code_of_the_output_folder_runs(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("json", "itk", "resource"):
        (out / f"{name}.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w').close()\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", *os.environ.get("PYTHONPATH", "").split(os.pathsep)]))
    assert _register(case, out, _map(tmp_path, "shift.txt")) == 0
    assert not (tmp_path / "mark").exists()


def test_native_foreign_and_native_stages_feed_each_other(case: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    native = tmp_path / "native.txt"
    native.write_text(
        FOREIGN.format(transform="TranslationTransform", optimizer="AdaptiveStochasticGradientDescent").replace(
            "Iterations 60", "Iterations 15"
        )
    )
    assert _register(case, out, native, _map(tmp_path, "shift.txt"), case / "ParameterMap.txt") == 0
    record = _record(out)
    engines = [stage["engine"].split()[0] for stage in record["stages"]]
    assert engines == ["native", "itk-elastix", "native"]
    errors = [stage["evaluation"]["landmarks_mm"] for stage in record["stages"]]
    assert all(error["before"] == record["landmarks_mm"]["before"] for error in errors)
    assert errors[1]["after"]["mean"] < errors[0]["after"]["mean"]
    assert errors[2] == record["landmarks_mm"]
    assert record["landmarks_mm"]["after"]["mean"] < 0.3 * record["landmarks_mm"]["before"]["mean"]
    text = (out / "TransformParameters.1.txt").read_text()
    assert '(InitialTransformParameterFileName "TransformParameters.0.txt")' in text
    last = read_initial_transform(out / "TransformParameters.2.txt")
    assert last.dimension == 3


def test_further_seeds_are_those_of_the_map(case: Path, tmp_path: Path) -> None:
    out, shift = tmp_path / "out", _map(tmp_path, "shift.txt")
    shift.write_text(shift.read_text() + "(RandomSeed 5)\n")
    assert _register(case, out, shift, seeds=2) == 0
    seeds = _record(out)["seeds"]
    assert (seeds["seeds"], seeds["failed"]) == ([5, 6], {})
    assert 0 < seeds["mean_mm"] < 1
    assert not list((out / "seeds" / "6").glob("result*"))


def test_a_transform_that_cannot_be_read_may_only_be_the_last(case: Path, tmp_path: Path, capsys) -> None:
    spline = tmp_path / "spline.txt"
    text = FOREIGN.format(transform="SplineKernelTransform", optimizer="AdaptiveStochasticGradientDescent")
    spline.write_text(text.replace("Iterations 60", "Iterations 2") + '(SplineKernelType "ThinPlateSpline")\n')
    out = tmp_path / "last"
    assert _register(case, out, spline) == 0
    assert '(Transform "SplineKernelTransform")' in (out / "TransformParameters.0.txt").read_text()
    assert (out / "result.0.mha").is_file()
    out = tmp_path / "first"
    assert _register(case, out, spline, case / "ParameterMap.txt") == 2
    said = capsys.readouterr().err
    assert "the next map can't start from" in said
    assert "Make this the last map of the chain" in said
    assert not list(out.glob("result*"))


def test_a_failure_of_elastix_is_one_paragraph(case: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    wrong = _map(tmp_path, "wrong.txt")
    wrong.write_text(wrong.read_text().replace("(NumberOfSpatialSamples 500)", '(NumberOfSpatialSamples "many")'))
    assert _register(case, out, wrong) == 1
    said = capsys.readouterr().err
    assert "itk-elastix failed" in said
    assert "Traceback" not in said
    assert not _record(out)["complete"]
    assert not [path for path in out.iterdir() if path.name.startswith((".stage", "result", "TransformParameters"))]


def test_without_the_wheel_one_error_names_the_extra(case: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert _register(case, tmp_path / "out", _map(tmp_path, "shift.txt")) == 2
    said = capsys.readouterr().err
    assert "CMAEvolutionStrategy does not run natively" in said
    assert 'pip install "elastix-impact[itk]"' in said


def test_check_says_who_runs_a_map(tmp_path: Path, capsys) -> None:
    assert main(["check", str(_map(tmp_path, "shift.txt"))]) == 0
    assert "handed on to itk-elastix because of CMAEvolutionStrategy" in capsys.readouterr().out


def test_impact_is_never_handed_on(case: Path, tmp_path: Path, capsys) -> None:
    path = case / "ParameterMap.txt"
    path.write_text(path.read_text().replace("AdaptiveStochasticGradientDescent", "CMAEvolutionStrategy"))
    assert main(["check", str(path)]) == 2
    said = capsys.readouterr().out
    assert "CMAEvolutionStrategy does not run natively, and IMPACT runs nowhere else" in said
    assert "Native here: AdaptiveStochasticGradientDescent" in said
