"""`run`, `register`, `evaluate` and the elastix form on a small real case."""

import json
from pathlib import Path

import pytest

from elastix_impact.cli.main import main
from small_case import MAP, write_small_case


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = write_small_case(tmp_path_factory.mktemp("case"))
    (folder / "ParameterMap.txt").write_text(MAP.replace("Iterations 40", "Iterations 15"))
    return folder


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "Out"
    assert main(["run", "--data", str(data), "--out", str(out), "--quiet", "--threads", "2"]) == 0
    return out


def test_run_prints_the_table_and_what_was_written(data: Path, tmp_path: Path, capsys) -> None:
    assert main(["run", "--data", str(data), "--out", str(tmp_path), "--threads", "2"]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0].startswith("verdict: ")
    lines = lines[lines.index("") + 1 :]
    assert lines[0].split() == ["TRE", "[mm]", "mean", "SD", "median", "75%", "95%", "max", "<", "2", "mm"]
    assert lines[1].startswith("before ")
    assert lines[2].startswith("after ")
    assert lines[3] == "20 landmarks"
    names = "elastix.log, registration.json, TransformParameters.0.txt, result.0.mha, evaluation.json, landmarks.csv"
    assert lines[-1] == f"{tmp_path}: {names} and 2 more"
    assert "level 2/2: 15 iterations" in captured.err
    assert (tmp_path / "TransformParameters.0.txt").exists()


@pytest.fixture
def ruined(data: Path, tmp_path: Path) -> Path:
    """The case with a map that tears the image apart."""
    text = MAP.replace("Length 1.0", "Length 40").replace("Iterations 40", "Iterations 15")
    (tmp_path / "ruin.txt").write_text(text + "(RequiredRatioOfValidSamples 0)\n")
    return tmp_path / "ruin.txt"


def _register_words(data: Path, ruined: Path, out: Path) -> list[str]:
    images = ["-f", str(data / "FixedImage.mha"), "-m", str(data / "MovingImage.mha"), "-p", str(ruined)]
    return ["register", *images, "--data", str(data), "-o", str(out), "--quiet", "--threads", "2"]


def test_a_bad_verdict_is_the_first_line_and_with_strict_exit_code_1(
    data: Path, ruined: Path, tmp_path: Path, capsys
) -> None:
    words = _register_words(data, ruined, tmp_path / "Out")
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("verdict: bad - ")
    record = json.loads((tmp_path / "Out" / "registration.json").read_text())
    assert record["verdict"]["word"] == "bad"
    assert record["verdict"]["reasons"][0]["sentence"] in (tmp_path / "Out" / "elastix.log").read_text()

    assert main([*words, "--strict"]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("verdict: bad - ")
    assert "--strict: the verdict on the result is bad" in captured.err


def test_strict_lets_other_results_pass(data: Path, tmp_path: Path, capsys) -> None:
    assert main(["run", "--data", str(data), "--out", str(tmp_path), "--quiet", "--threads", "2", "--strict"]) == 0
    assert capsys.readouterr().out.startswith(("verdict: good - ", "verdict: look - "))


def test_json_goes_to_stdout_and_quiet_is_quiet(data: Path, tmp_path: Path, capsys) -> None:
    words = ["run", "--data", str(data), "--out", str(tmp_path), "--quiet", "--json", "--seed", "7", "--device", "cpu"]
    assert main(words) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert record["complete"] is True
    assert record["stages"][0]["random_seed"] == 7
    assert captured.err == ""
    assert json.loads((tmp_path / "registration.json").read_text())["files"] == record["files"]


def test_doubtful_inputs_are_warned_of_once_and_recorded(data: Path, tmp_path: Path, capsys) -> None:
    copy = tmp_path / "Data"
    copy.mkdir()
    for path in data.iterdir():
        (copy / path.name).symlink_to(path)
    (copy / "Fixed_labels.mha").symlink_to(data / "FixedImage.mha")
    assert main(["run", "--data", str(copy), "--out", str(tmp_path / "Out"), "--quiet"]) == 0
    errors = capsys.readouterr().err
    assert errors.count("warning: ") == 1
    assert "Fixed_labels.mha has no partner" in errors
    record = json.loads((tmp_path / "Out" / "registration.json").read_text())
    assert any("has no partner" in text for text in record["warnings"])


def test_register_takes_the_files_by_name(data: Path, tmp_path: Path, capsys) -> None:
    words = [
        "-f", str(data / "FixedImage.mha"), "-m", str(data / "MovingImage.mha"), "-p", str(data / "ParameterMap.txt"),
        "-o", str(tmp_path / "a" / "b"), "--fixed-points", str(data / "Fixed_landmarks.txt"),
        "--moving-points", str(data / "Moving_landmarks.txt"), "--data", str(data), "--quiet",
    ]  # fmt: skip
    assert main(["register", *words]) == 0
    assert "after " in capsys.readouterr().out
    assert (tmp_path / "a" / "b" / "result.0.mha").exists()


def test_evaluate_agrees_with_the_run(data: Path, finished: Path, capsys) -> None:
    words = [
        "evaluate", "--transform", str(finished / "TransformParameters.0.txt"), "--fixed-points",
        str(data / "Fixed_landmarks.txt"), "--moving-points", str(data / "Moving_landmarks.txt"),
    ]  # fmt: skip
    assert main(words) == 0
    table = capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    evaluated = json.loads(capsys.readouterr().out)["landmarks_mm"]
    recorded = json.loads((finished / "registration.json").read_text())["landmarks_mm"]
    assert evaluated["after"]["mean"] == pytest.approx(recorded["after"]["mean"], abs=1e-6)
    assert evaluated["before"] == recorded["before"]
    assert f"{evaluated['after']['mean']:.2f}" in table


def test_evaluate_names_a_missing_transform(data: Path, tmp_path: Path, capsys) -> None:
    points = str(data / "Fixed_landmarks.txt")
    absent = str(tmp_path / "absent.txt")
    assert main(["evaluate", "--transform", absent, "--fixed-points", points, "--moving-points", points]) == 2
    errors = capsys.readouterr().err
    assert "absent.txt" in errors
    assert "Traceback" not in errors


def elastix_words(data: Path, out: Path, *more: str) -> list[str]:
    spoken = [
        "elastix", "-f", str(data / "FixedImage.mha"), "-m", str(data / "MovingImage.mha"), "-out", str(out), "-p",
    ]  # fmt: skip
    return [*spoken, str(data / "local.txt"), *more]


def test_the_elastix_form_runs_and_prints_the_log(data: Path, tmp_path: Path, capsys) -> None:
    model = data / "Models" / "MIND" / "R1D2_3D.pt"
    (data / "local.txt").write_text(
        MAP.replace("/Data/Models/MIND/R1D2_3D.pt", str(model)).replace("Iterations 40", "Iterations 3")
    )
    assert main(elastix_words(data, tmp_path, "-threads", "2")) == 0
    out = capsys.readouterr().out
    assert out == (tmp_path / "elastix.log").read_text()
    assert "Resolution: 1" in out
    assert (tmp_path / "TransformParameters.0.txt").exists()


def test_the_elastix_form_needs_the_gpu_that_the_map_names(data: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    from elastix_impact.runs import device

    monkeypatch.setattr(device, "present_devices", lambda: ("cpu",))
    (data / "local.txt").write_text((data / "ParameterMap.txt").read_text().replace("(ImpactGPU -1)", "(ImpactGPU 0)"))
    assert main(elastix_words(data, tmp_path)) == 1
    assert "(ImpactGPU -1)" in capsys.readouterr().err
