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


def test_structures_have_names(data: Path, truth: Path, tmp_path: Path, capsys) -> None:
    fixed, moving = _labels_beside(data)
    names = tmp_path / "names.csv"
    names.write_text("1,liver left\n3,spleen\n9,absent\n")
    words = ["--fixed-labels", str(fixed), "--moving-labels", str(moving), "--label-names", str(names)]
    assert _evaluate(data, truth, *words, "--out", str(tmp_path / "judged")) == 0
    said = capsys.readouterr().out
    assert "  1 liver left" in said
    assert "  3 spleen" in said
    found = json.loads((tmp_path / "judged" / "evaluation.json").read_text())["labels"]["after"]
    assert found["names"] == {"1": "liver left", "3": "spleen"}
    assert [score["name"] for score in found["labels"]] == ["liver left", None, "spleen"]
    with (tmp_path / "judged" / "labels.csv").open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["liver left", "", "spleen"]


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
        (["--fixed-points", "a.txt", "--moving-points", "b.txt", "--label-names", "c.csv"], "--label-names is for"),
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


def test_fixed_labels_alone_are_said_and_left(data: Path, tmp_path: Path, capsys) -> None:
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


IGNORING_DIRECTIONS = """(Transform "TranslationTransform")
(NumberOfParameters 3)
(TransformParameters 6 0 0)
(InitialTransformParameterFileName "NoInitialTransform")
(HowToCombineTransforms "Compose")
(Size 20 20 20)
(Index 0 0 0)
(Spacing 2 2 2)
(Origin 0 0 0)
(Direction -1 0 0 0 -1 0 0 0 1)
(UseDirectionCosines "false")
"""


def _turned_pair(folder: Path) -> list[str]:
    """A ball and the same three voxels on along x, in images whose x axis points against the world's."""
    z, y, x = np.mgrid[:20, :20, :20]
    ball = ((x - 8) ** 2 + (y - 9) ** 2 + (z - 9) ** 2 < 25).astype(np.uint8)
    for name, values in (("f", ball), ("m", np.roll(ball, 3, axis=2))):
        image = sitk.GetImageFromArray(values)
        image.SetSpacing((2, 2, 2))
        image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
        column = 8 if name == "f" else 11
        lines = (f"{-2.0 * column},{-2.0 * row},{2.0 * layer}" for row, layer in ((9, 9), (5, 12)))
        (folder / f"{name}.csv").write_text("x,y,z\n" + "\n".join(lines) + "\n")
    (folder / "T.txt").write_text(IGNORING_DIRECTIONS)
    return ["evaluate", "--json", "-t", str(folder / "T.txt")]


def test_a_transform_that_ignores_directions_is_judged_as_transformix_applies_it(tmp_path: Path, capsys) -> None:
    command, path = _turned_pair(tmp_path), {name: str(tmp_path / name) for name in ("f.nii.gz", "m.nii.gz")}
    out = tmp_path / "out"
    out.mkdir()
    text = IGNORING_DIRECTIONS + '(FinalBSplineInterpolationOrder 0)\n(ResultImageFormat "nii.gz")\n'
    (tmp_path / "T.txt").write_text(text)
    assert main(["transformix", "-tp", str(tmp_path / "T.txt"), "-in", path["m.nii.gz"], "-out", str(out)]) == 0
    fixed, moved = (sitk.GetArrayFromImage(sitk.ReadImage(str(p))) for p in (path["f.nii.gz"], out / "result.nii.gz"))
    np.testing.assert_array_equal(fixed, moved)
    capsys.readouterr()
    points = ["--fixed-points", str(tmp_path / "f.csv"), "--moving-points", str(tmp_path / "m.csv")]
    labels = ["--fixed-labels", path["f.nii.gz"], "--moving-labels", path["m.nii.gz"]]
    inverse = tmp_path / "back.txt"
    inverse.write_text(text.replace("6 0 0", "-6 0 0"))
    assert main([*command, *labels, *points, "--inverse-transform", str(inverse)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["labels"]["before"]["mean_dice"] < 0.7
    assert found["labels"]["after"]["mean_dice"] == 1
    assert found["landmarks_mm"]["before"]["mean"] == pytest.approx(6)
    assert found["landmarks_mm"]["after"]["maximum"] < 1e-6
    assert found["inverse_consistency"]["maximum_mm"] < 1e-6


def test_a_transform_that_ignores_directions_is_refused_without_the_moving_image(tmp_path: Path, capsys) -> None:
    command = _turned_pair(tmp_path)
    assert main([*command, "--fixed-points", str(tmp_path / "f.csv"), "--moving-points", str(tmp_path / "m.csv")]) == 2
    assert 'UseDirectionCosines is "false"' in capsys.readouterr().err
