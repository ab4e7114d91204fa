"""`evaluate`, and the measures that `run` and `register` take by themselves."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from elastix_impact.cli.main import main
from small_case import MOTION, write_small_case


def _labels_beside(data: Path) -> tuple[Path, Path]:
    """Three structures by the intensity, in the forms of the folder contract."""
    paths = []
    for role, name in (("Fixed", "FixedImage.mha"), ("Moving", "MovingImage.mha")):
        image = sitk.ReadImage(str(data / name))
        values = sitk.GetArrayFromImage(image).astype(float)
        labels = sitk.GetImageFromArray(np.digitize(values, np.quantile(values, [0.4, 0.6, 0.85])).astype(np.uint8))
        labels.CopyInformation(image)
        paths.append(data / f"{role}_labels.nii.gz")
        sitk.WriteImage(labels, str(paths[-1]))
    return paths[0], paths[1]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_small_case(tmp_path / "Data")


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """The transform that was used to make the case."""
    path = tmp_path / "truth.tfm"
    sitk.WriteTransform(sitk.TranslationTransform(3, MOTION.tolist()), str(path))
    return path


def _evaluate(data: Path, truth: Path, *more: str) -> int:
    return main(
        [
            "evaluate", "-t", str(truth), "-f", str(data / "FixedImage.mha"), "-m", str(data / "MovingImage.mha"),
            "--fixed-points", str(data / "Fixed_landmarks.txt"),
            "--moving-points", str(data / "Moving_landmarks.txt"), *more,
        ]
    )  # fmt: skip


def test_everything_at_once(data: Path, truth: Path, tmp_path: Path, capsys) -> None:
    fixed, moving = _labels_beside(data)
    words = ["--fixed-labels", str(fixed), "--moving-labels", str(moving), "--inverse-consistency", "--json"]
    assert _evaluate(data, truth, *words, "--out", str(tmp_path / "judged")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((tmp_path / "judged" / "evaluation.json").read_text())
    assert found["landmarks_mm"]["before"]["mean"] == pytest.approx(np.linalg.norm(MOTION))
    assert found["landmarks_mm"]["after"]["maximum"] < 1e-4
    assert found["labels"]["after"]["mean_dice"] > found["labels"]["before"]["mean_dice"] + 0.1
    assert [score["label"] for score in found["labels"]["after"]["labels"]] == [1, 2, 3]
    assert found["transform"]["jacobian_determinant"]["min"] == pytest.approx(1)
    assert found["transform"]["share_folded"] == 0
    assert found["transform"]["displacement_mm"]["max"] == pytest.approx(np.linalg.norm(MOTION))
    assert found["intensity"]["after"]["ncc"] > 0.95 > found["intensity"]["before"]["ncc"]
    assert found["inverse_consistency"]["maximum_mm"] < 1e-6
    with (tmp_path / "judged" / "landmarks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    assert rows[0]["name"] == "1"
    assert float(rows[0]["before_mm"]) == pytest.approx(np.linalg.norm(MOTION), abs=1e-4)
    with (tmp_path / "judged" / "labels.csv").open(newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == ["1", "2", "3"]


def test_tables_for_people(data: Path, truth: Path, capsys) -> None:
    fixed, moving = _labels_beside(data)
    assert _evaluate(data, truth, "--fixed-labels", str(fixed), "--moving-labels", str(moving)) == 0
    said = capsys.readouterr().out
    for words in ("TRE [mm]", "20 landmarks", "HD95 mm", "3 labels", "NCC", "folded 0.000%", "displacement [mm]"):
        assert words in said


def test_landmarks_alone_need_no_images(data: Path, truth: Path, capsys) -> None:
    points = [
        "--fixed-points",
        str(data / "Fixed_landmarks.txt"),
        "--moving-points",
        str(data / "Moving_landmarks.txt"),
    ]
    assert main(["evaluate", "-t", str(truth), *points, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["landmarks_mm"]["after"]["mean"] < 1e-4
    assert found["transform"] is None
    assert found["labels"] == found["intensity"] == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fixed-points", "a.txt"], "--fixed-points and --moving-points go together"),
        (["--moving-labels", "a.mha"], "--fixed-labels and --moving-labels go together"),
        ([], "nothing to measure by"),
    ],
)
def test_halves_of_pairs_are_refused(truth: Path, capsys, words: list[str], said: str) -> None:
    assert main(["evaluate", "-t", str(truth), *words]) == 2
    assert said in capsys.readouterr().err


def test_fractions_are_no_labels(data: Path, truth: Path, tmp_path: Path, capsys) -> None:
    fixed, moving = _labels_beside(data)
    image = sitk.Cast(sitk.ReadImage(str(moving)), sitk.sitkFloat32) * 0.3
    sitk.WriteImage(image, str(tmp_path / "half.mha"))
    words = ["--fixed-labels", str(fixed), "--moving-labels", str(tmp_path / "half.mha")]
    assert _evaluate(data, truth, *words) == 2
    assert "no whole numbers" in capsys.readouterr().err


def test_learn2reg(data: Path, truth: Path, tmp_path: Path, capsys) -> None:
    """The field is in voxels of the fixed image, (x, y, z, 3), and 5 mm are 1.25 voxels of 4 mm."""
    pytest.importorskip("surface_distance")
    fixed, moving = _labels_beside(data)
    field = tmp_path / "disp_0001_0002.nii.gz"
    words = ["--fixed-labels", str(fixed), "--moving-labels", str(moving), "--learn2reg", "--json"]
    assert _evaluate(data, truth, *words, "--learn2reg-field", str(field)) == 0
    found = json.loads(capsys.readouterr().out)["learn2reg"]
    written = nib.load(field).get_fdata()
    grids = [sitk.ReadImage(str(data / name)) for name in ("FixedImage.mha", "MovingImage.mha")]
    assert written.shape == (*grids[0].GetSize(), 3)
    index = (3, 5, 7)
    world = np.array(grids[0].TransformIndexToPhysicalPoint(index)) + MOTION
    expected = np.array(grids[1].TransformPhysicalPointToContinuousIndex(world.tolist())) - index
    np.testing.assert_allclose(written[index], expected, atol=1e-5)
    assert found["sdlogj"]["mean"] == pytest.approx(0, abs=1e-6)
    assert found["num_foldings"]["mean"] == 0
    assert found["tre"]["mean"] < 0.3  # cubic splines of a constant field fall off towards the border
    assert found["dice"]["mean"] > 0.6
    assert len(found["hd95"]["detailed"]) == 3


def test_the_folder_contract_has_labels(data: Path, tmp_path: Path, capsys) -> None:
    _labels_beside(data)
    out = tmp_path / "Out"
    assert main(["run", "--data", str(data), "--out", str(out), "--quiet", "--report"]) == 0
    found = json.loads((out / "evaluation.json").read_text())
    assert found["labels"]["after"]["mean_dice"] > found["labels"]["before"]["mean_dice"]
    record = json.loads((out / "registration.json").read_text())
    assert record["landmarks_mm"] == found["landmarks_mm"]
    assert "evaluation.json" in record["files"]
    assert record["seconds"]["evaluation"] < record["seconds"]["total"]
    assert "HD95 mm" in (out / "elastix.log").read_text()
    assert "HD95 mm" in capsys.readouterr().out
    page = (out / "report.html").read_text(encoding="utf-8")
    for heading in ("Structures", "Transform", "Intensities", "Landmarks"):
        assert f">{heading}<" in page


def test_one_label_file_alone_is_said_and_left(data: Path, tmp_path: Path, capsys) -> None:
    _, moving = _labels_beside(data)
    moving.unlink()
    assert main(["run", "--data", str(data), "--out", str(tmp_path / "Out"), "--quiet"]) == 0
    assert "has no partner" in capsys.readouterr().err


def test_a_failing_measure_never_costs_the_result(data: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("all is vanity")

    monkeypatch.setattr("elastix_impact.judging.evaluate.compare_intensities", broken)
    out = tmp_path / "Out"
    assert main(["run", "--data", str(data), "--out", str(out), "--quiet"]) == 0
    assert "could not be judged: all is vanity" in capsys.readouterr().err
    assert (out / "result.0.mha").is_file()
    assert not (out / "evaluation.json").exists()
