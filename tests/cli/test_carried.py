"""Labels and points that go with a registration, stage by stage measures, and a run that is not measured."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import elastix_impact as ei
from elastix_impact.cli.main import main
from elastix_impact.io.points import read_points
from small_case import MAP, MOTION, write_small_case

IDS = np.array([0, 7, 70000, 3000000000], dtype=np.uint32)


def _label_file(data: Path, role: str) -> Path:
    """Three structures by the intensity, in 32-bit numbers."""
    image = sitk.ReadImage(str(data / f"{role}Image.mha"))
    values = sitk.GetArrayFromImage(image).astype(float)
    labels = sitk.GetImageFromArray(IDS[np.digitize(values, np.quantile(values, [0.4, 0.6, 0.85]))])
    labels.CopyInformation(image)
    path = data / f"{role}_labels.nrrd"
    sitk.WriteImage(labels, str(path))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_small_case(tmp_path_factory.mktemp("carried") / "Data")
    (folder / "ParameterMap.1.txt").write_text(MAP.replace("Iterations 40", "Iterations 8"))
    return folder


def _register(data: Path, out: Path, *words: object, maps: tuple[str, ...] = ("ParameterMap.txt",)) -> int:
    case = ["-f", data / "FixedImage.mha", "-m", data / "MovingImage.mha", "-o", out, "--data", data, "--seed", "1"]
    stages = [word for name in maps for word in ("-p", data / name)]
    return main(["register", *map(str, [*case, *stages, *words])])


def test_moving_labels_and_fixed_points_alone_are_carried(data: Path, tmp_path: Path, capsys) -> None:
    """Beside the true motion: the labels moved by it with SimpleITK, the points in mm."""
    moving = _label_file(data, "Moving")
    words = ["--moving-labels", moving, "--fixed-points", data / "Fixed_landmarks.txt", "--quiet"]
    assert _register(data, tmp_path, *words) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "moved_labels.nrrd: 3 labels of Moving_labels.nrrd" in said.out
    moved = sitk.ReadImage(str(tmp_path / "moved_labels.nrrd"))
    assert moved.GetPixelIDTypeAsString() == "32-bit unsigned integer"
    truth = sitk.Resample(
        sitk.ReadImage(str(moving)), moved, sitk.TranslationTransform(3, MOTION.tolist()), sitk.sitkNearestNeighbor
    )
    ours, known = sitk.GetArrayFromImage(moved)[2:-2, 2:-2, 2:-2], sitk.GetArrayFromImage(truth)[2:-2, 2:-2, 2:-2]
    for label in IDS[1:]:
        assert 2 * ((ours == label) & (known == label)).sum() / ((ours == label).sum() + (known == label).sum()) > 0.9
    there = read_points(tmp_path / "fixed_points_in_moving.txt", None).world_points.numpy()
    right = read_points(data / "Moving_landmarks.txt", None).world_points.numpy()
    assert np.linalg.norm(there - right, axis=1).mean() < 0.6
    carried = json.loads((tmp_path / "registration.json").read_text())["carried"]
    assert [one["file"] for one in carried] == ["moved_labels.nrrd", "fixed_points_in_moving.txt"]


def test_two_stages_have_a_row_each(data: Path, tmp_path: Path, capsys) -> None:
    labels = ["--moving-labels", _label_file(data, "Moving"), "--fixed-labels", _label_file(data, "Fixed")]
    names = tmp_path / "names.json"
    names.write_text('{"liver": 7, "spleen": 70000}')
    points = ["--fixed-points", data / "Fixed_landmarks.txt", "--moving-points", data / "Moving_landmarks.txt"]
    maps = ("ParameterMap.txt", "ParameterMap.1.txt")
    out = tmp_path / "Out"
    words = [*labels, *points, "--label-names", names, "--progress", "json", "--report"]
    assert _register(data, out, *words, maps=maps) == 0
    said = capsys.readouterr()
    events = [json.loads(line) for line in said.err.splitlines()]
    assert [(e["stage"], e["level"]) for e in events if e.get("phase") == "evaluation"] == [(0, 1), (1, 1)]
    rows = {line.split("  ")[0]: line.split() for line in said.out.splitlines()}
    assert rows["stage"][1:] == ["TRE", "mm", "Dice", "HD95", "mm", "NCC", "NMI", "folded", "det", "min"]
    record, whole = (json.loads((out / name).read_text()) for name in ("registration.json", "evaluation.json"))
    found = [stage["evaluation"] for stage in record["stages"]]
    assert found[1] == whole
    assert found[0]["landmarks_mm"]["before"] == found[1]["landmarks_mm"]["before"]
    for number, name in enumerate(("0 ParameterMap", "1 ParameterMap.1")):
        after = found[number]
        assert rows[name][2:5] == [
            f"{after['landmarks_mm']['after']['mean']:.2f}", f"{after['labels']['after']['mean_dice']:.3f}",
            f"{after['labels']['after']['mean_hd95_mm']:.2f}",
        ]  # fmt: skip
    assert [score["name"] for score in whole["labels"]["after"]["labels"]] == ["liver", "spleen", None]
    assert "1 ParameterMap.1" in (out / "elastix.log").read_text()
    assert (out / "moved_labels.nrrd").is_file()


def test_a_run_that_is_not_measured(data: Path, tmp_path: Path, capsys) -> None:
    """The folder contract with landmarks of the moving image alone; what an earlier run had measured goes."""
    folder = tmp_path / "Data"
    folder.mkdir()
    for path in data.iterdir():
        if path.name not in ("Fixed_landmarks.txt", "ParameterMap.1.txt") and "labels" not in path.name:
            (folder / path.name).symlink_to(path)
    out = tmp_path / "Out"
    out.mkdir()
    for name in ("evaluation.json", "labels.csv", "moved_labels.nii.gz", "my_labels.csv"):
        (out / name).write_text("old")
    words = ["--data", str(folder), "--out", str(out), "--no-evaluation", "--progress", "plain", "--report"]
    assert main(["run", *words]) == 0
    said = capsys.readouterr()
    assert "measuring" not in said.err
    assert "NCC" not in said.out
    assert "moving_points_in_fixed.txt: 20 points of Moving_landmarks.txt, residual of the inverse" in said.out
    record = json.loads((out / "registration.json").read_text())
    assert record["stages"][0]["evaluation"] is None
    assert "evaluation" not in record["seconds"]
    assert {path.name for path in out.iterdir()} & {"evaluation.json", "labels.csv", "moved_labels.nii.gz"} == set()
    assert (out / "my_labels.csv").exists()
    back = read_points(out / "moving_points_in_fixed.txt", None).world_points.numpy()
    right = read_points(data / "Fixed_landmarks.txt", None).world_points.numpy()
    assert np.linalg.norm(back - right, axis=1).mean() < 0.6


def test_python_gives_what_was_carried(data: Path) -> None:
    moving = _label_file(data, "Moving")
    found = ei.register(
        data / "FixedImage.mha", data / "MovingImage.mha", data / "ParameterMap.1.txt", data_folder=data, seed=1,
        moving_labels=moving, moving_points=data / "Moving_landmarks.txt", label_names={7: "liver"}, evaluation=False,
    )  # fmt: skip
    assert found.metrics == {}
    assert found.moved_labels is not None
    assert set(found.moved_labels.data.unique().tolist()) == set(IDS.tolist())
    assert found.moved_labels.grid == found.warped.grid
    assert found.moving_points_in_fixed is not None
    assert found.moving_points_in_fixed.world_points.shape == (20, 3)
    assert found.fixed_points_in_moving is None
    again = found.apply(found.moving_points_in_fixed.world_points)
    np.testing.assert_allclose(again, read_points(data / "Moving_landmarks.txt", None).world_points, atol=1e-5)


def test_what_can_not_be_used_is_said_before_the_registration(data: Path, tmp_path: Path, capsys) -> None:
    names = tmp_path / "names.txt"
    names.write_text("1 liver\n")
    words = ["--moving-labels", _label_file(data, "Moving"), "--label-names", names, "--quiet"]
    assert _register(data, tmp_path / "Out", *words) == 2
    assert "names.txt:1: '1 liver' is no line of a table of labels" in capsys.readouterr().err
    assert not (tmp_path / "Out" / "TransformParameters.0.txt").exists()


def test_elastix_leaves_points_of_one_image_alone(data: Path, tmp_path: Path, capsys) -> None:
    text = MAP.replace("/Data/", f"{data}/").replace("Iterations 40", "Iterations 2")
    (tmp_path / "map.txt").write_text(text)
    words = ["-f", data / "FixedImage.mha", "-m", data / "MovingImage.mha", "-p", tmp_path / "map.txt"]
    more = ["-out", tmp_path, "-fp", data / "Fixed_landmarks.txt", "-loglevel", "off"]
    assert main(["elastix", *map(str, [*words, *more])]) == 0
    assert "Fixed_landmarks.txt is not used" in capsys.readouterr().err
    assert not (tmp_path / "fixed_points_in_moving.txt").exists()
