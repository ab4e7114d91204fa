"""IMPACT beside elastix's own metrics, through the command line: weights, landmarks, samplers, columns."""

import json
from pathlib import Path

import pytest

from elastix_impact.cli.main import main
from small_case import write_small_case

SEVERAL = """\
(Registration "MultiMetricMultiResolutionRegistration")
(Metric "Impact" "TransformBendingEnergyPenalty" "CorrespondingPointsEuclideanDistanceMetric")
(Metric0Weight 1.0)
(Metric1Weight 10.0)
(Metric2Weight 0.01)
"""


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """The small case with a map of three metrics."""
    data = write_small_case(tmp_path / "Data")
    lines = (data / "ParameterMap.txt").read_text().replace("/Data/", f"{data}/").splitlines()
    kept = [line for line in lines if not line.startswith(("(Registration", '(Metric "'))]
    (data / "ParameterMap.txt").write_text("\n".join(kept) + "\n" + SEVERAL)
    return data


def _register(case: Path, out: Path, extra: str = "", *, landmarks: bool = True) -> int:
    path = case / "ParameterMap.txt"
    path.write_text(path.read_text() + extra)
    points = ["--fixed-points", case / "Fixed_landmarks.txt", "--moving-points", case / "Moving_landmarks.txt"]
    words = [
        "register",
        "-f",
        case / "FixedImage.mha",
        "-m",
        case / "MovingImage.mha",
        "-p",
        path,
        "-o",
        out,
        "--quiet",
    ]
    return main([str(word) for word in [*words, *(points if landmarks else [])]])


def _table(out: Path, level: int = 0) -> tuple[list[str], list[float]]:
    lines = (out / f"IterationInfo.0.R{level}.txt").read_text().splitlines()
    return lines[0].split("\t"), [float(cell) for cell in lines[-1].split("\t")]


def test_impact_runs_beside_a_penalty_and_landmarks(case: Path, tmp_path: Path) -> None:
    assert _register(case, tmp_path / "out") == 0
    record = json.loads((tmp_path / "out" / "registration.json").read_text())
    assert record["landmarks_mm"]["after"]["mean"] < 0.5 * record["landmarks_mm"]["before"]["mean"]
    terms = record["stages"][0]["plan"]["levels"][0]["terms"]
    assert [(term["name"], term["weight"]) for term in terms] == [
        ("Metric0", 1.0),
        ("Metric1", 10.0),
        ("Metric2", 0.01),
    ]
    names, last = _table(tmp_path / "out")
    values = dict(zip(names, last))
    assert [name for name in names if name.startswith("2:")] == ["2:Metric", "2:Metric0", "2:Metric1", "2:Metric2"]
    total = values["2:Metric0"] + 10 * values["2:Metric1"] + 0.01 * values["2:Metric2"]
    assert values["2:Metric"] == pytest.approx(total, abs=1e-4)


def test_relative_weights_and_samplers_of_their_own(case: Path, tmp_path: Path) -> None:
    extra = (
        '(UseRelativeWeights "true")\n(Metric1RelativeWeight 0.1)\n(Metric2RelativeWeight 0.5)\n'
        "(ImageSampler1NumberOfSpatialSamples 60)\n"
    )
    path = case / "ParameterMap.txt"
    path.write_text(
        path.read_text().replace(
            '(ImageSampler "RandomCoordinate")', '(ImageSampler "RandomCoordinate" "Random" "RandomCoordinate")'
        )
    )
    assert _register(case, tmp_path / "out", extra) == 0
    record = json.loads((tmp_path / "out" / "registration.json").read_text())
    assert record["landmarks_mm"]["after"]["mean"] < 0.6 * record["landmarks_mm"]["before"]["mean"]
    levels = record["stages"][0]["levels"]
    assert levels[0]["samples"] == 500 + 60
    names, last = _table(tmp_path / "out")
    assert {"4:||Gradient0||", "4:||Gradient1||", "4:||Gradient2||"} < set(names)
    assert all(value == value for value in last)


def test_landmarks_that_a_metric_needs_and_are_not_given(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _register(case, tmp_path / "out", landmarks=False) == 2
    said = capsys.readouterr().err
    assert "needs landmarks" in said
    assert "--fixed-points" in said
    assert "Traceback" not in said
    assert not list((tmp_path / "out").glob("result*"))
