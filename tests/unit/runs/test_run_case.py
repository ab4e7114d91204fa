"""A case end to end: the files of a run, what they hold, and what is left when it fails or is cut short."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from elastix_impact.io.points import read_points
from elastix_impact.io.read_transform import read_initial_transform
from elastix_impact.registration.observe import NullObserver
from elastix_impact.registration.result import StopReason
from elastix_impact.runs import run_stages as module
from elastix_impact.runs.case import Case
from elastix_impact.runs.run_case import run_case
from small_case import MAP, MOTION, write_small_case


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_small_case(tmp_path_factory.mktemp("case"))


def make_case(data: Path, out: Path, *maps: Path) -> Case:
    return Case(
        fixed=data / "FixedImage.mha",
        moving=data / "MovingImage.mha",
        maps=maps or (data / "ParameterMap.txt",),
        out=out,
        fixed_points=data / "Fixed_landmarks.txt",
        moving_points=data / "Moving_landmarks.txt",
        data_folder=data,
        threads=2,
    )


def write_map(path: Path, *more: str, **changes: str) -> Path:
    """The small case's map with parameters replaced or added."""
    lines = [line for line in MAP.splitlines() if line[1:].split(" ")[0] not in changes]
    path.write_text("\n".join([*lines, *(f"({name} {value})" for name, value in changes.items()), *more]) + "\n")
    return path


@pytest.fixture(scope="module")
def everything(data: Path, tmp_path_factory) -> Path:
    """Two stages that write all that can be written; the folder of the run."""
    folder = tmp_path_factory.mktemp("everything")
    asked = dict.fromkeys(
        [
            "WriteTransformParametersEachResolution", "WriteTransformParametersEachIteration",
            "WriteResultImageAfterEachResolution", "WritePyramidImagesAfterEachResolution",
            "WriteITKCompositeTransform",
        ],
        '"true"',
    )  # fmt: skip
    first = write_map(
        folder / "first.txt", MaximumNumberOfIterations="12", ITKTransformOutputFileNameExtension='"tfm"',
        ImpactFeatureMapOutputDirectory='"Features"', **asked,
    )  # fmt: skip
    second = write_map(folder / "second.txt", NumberOfResolutions="1", MaximumNumberOfIterations="12")
    second.write_text(second.read_text().replace("1 1 1 1 1 1", "1 1 1").replace("1 1 1 0 0 0", "0 0 0"))
    record = run_case(make_case(data, folder / "Out", first, second), command=("elastix-impact", "test"))
    assert record.status == "complete", record.message
    assert sorted(record.files) == sorted(
        str(path.relative_to(folder / "Out")) for path in (folder / "Out").rglob("*") if path.is_file()
    )
    return folder / "Out"


def test_the_names_are_those_of_elastix(everything: Path) -> None:
    names = {str(path.relative_to(everything)) for path in everything.rglob("*")}
    expected = {
        "elastix.log", "registration.json", "result.0.mha", "result.1.mha", "TransformParameters.0.txt",
        "TransformParameters.0.tfm", "TransformParameters.0-Composite.tfm", "TransformParameters.1.txt",
        "IterationInfo.1.R0.txt", "Features",
    }  # fmt: skip
    for level in (0, 1):
        expected |= {
            f"IterationInfo.0.R{level}.txt", f"TransformParameters.0.R{level}.txt", f"result.0.R{level}.mha",
            f"TransformParameters.0.R{level}.tfm", f"FixedImagePyramid0.0.R{level}.mha",
            f"MovingImagePyramid0.0.R{level}.mha", f"TransformParameters.0.R{level}.It0000000.txt",
            f"TransformParameters.0.R{level}.It0000011.txt",
        }  # fmt: skip
    assert expected <= names
    assert not [name for name in names if Path(name).name.startswith(".") or "tmp" in name]
    assert {Path(name).name for name in names if name.startswith("Features/Fixed_0_")}


def test_iteration_tables_have_a_row_per_iteration(everything: Path) -> None:
    lines = (everything / "IterationInfo.0.R1.txt").read_text().splitlines()
    assert lines[0] == "1:ItNr\t2:Metric\t3a:Time\t3b:StepSize\t4:||Gradient||\tTime[ms]"
    assert [line.split("\t")[0] for line in lines[1:]] == [str(k) for k in range(12)]
    assert all(line in (everything / "elastix.log").read_text() for line in lines)


def test_the_last_iteration_is_the_level_and_the_last_level_is_the_stage(everything: Path) -> None:
    def parameters(name: str) -> str:
        text = (everything / name).read_text()
        return next(
            line for line in text.splitlines() if line.startswith(("(TransformParameters", "(TransformFileName"))
        )

    if "TransformFileName" not in parameters("TransformParameters.0.txt"):
        assert parameters("TransformParameters.0.R1.It0000011.txt") == parameters("TransformParameters.0.R1.txt")
        assert parameters("TransformParameters.0.R1.txt") == parameters("TransformParameters.0.txt")


def test_each_stage_names_the_one_before_so_that_the_folder_can_be_moved(everything: Path, tmp_path: Path) -> None:
    assert (
        '(InitialTransformParameterFileName "TransformParameters.0.txt")'
        in (everything / "TransformParameters.1.txt").read_text()
    )
    for path in everything.glob("TransformParameters.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    points = (
        read_points(everything.parent / "points.txt", None) if (everything.parent / "points.txt").exists() else None
    )
    here, moved = (read_initial_transform(folder / "TransformParameters.1.txt") for folder in (everything, tmp_path))
    world_points = sample_points() if points is None else points.world_points
    assert (here.map_points(world_points) == moved.map_points(world_points)).all()


def sample_points():
    import torch

    return torch.tensor([[-20.0, 70.0, -970.0], [10.0, 90.0, -950.0]], dtype=torch.float64)


def test_the_result_image_is_the_moving_image_through_the_transform(everything: Path, data: Path) -> None:
    result = sitk.ReadImage(str(everything / "result.1.mha"))
    fixed = sitk.ReadImage(str(data / "FixedImage.mha"))
    moving = sitk.ReadImage(str(data / "MovingImage.mha"))
    transform = read_initial_transform(everything / "TransformParameters.1.txt")
    assert (result.GetSize(), result.GetOrigin(), result.GetSpacing()) == (
        fixed.GetSize(), fixed.GetOrigin(), fixed.GetSpacing(),
    )  # fmt: skip
    assert result.GetPixelIDTypeAsString() == "16-bit signed integer"
    import torch

    index = (14, 12, 10)
    point = torch.tensor([fixed.TransformIndexToPhysicalPoint(index)], dtype=torch.float64)
    mapped = transform.map_points(point)[0].tolist()
    coefficients = sitk.BSplineDecomposition(sitk.Cast(moving, sitk.sitkFloat64))
    expected = coefficients.EvaluateAtPhysicalPoint(mapped, sitk.sitkBSplineResampler)
    assert result[index] == pytest.approx(expected, abs=1.0)


def test_the_record_tells_all(everything: Path) -> None:
    record = json.loads((everything / "registration.json").read_text())
    assert record["complete"] is True
    assert record["status"] == "complete"
    assert record["command_line"] == ["elastix-impact", "test"]
    assert {"elastix_impact", "python", "torch", "SimpleITK"} <= set(record["versions"])
    assert record["inputs"]["fixed"]["spacing"] == [4.0, 4.0, 4.0]
    first, second = record["stages"]
    assert first["random_seed"] == 121212
    assert first["device"] == "cpu"
    assert first["stop_reason"] == second["stop_reason"] == "MAXIMUM_ITERATIONS"
    assert len(first["parameter_map"]["sha256"]) == 64
    assert [level["iterations"] for level in first["levels"]] == [12, 12]
    assert first["levels"][0]["samples"] == 500
    assert first["levels"][0]["raw_metric_first"]
    assert {"pyramid", "features", "estimation", "loop"} <= set(first["levels"][0]["seconds"])
    assert first["plan"]["levels"][0]["terms"][0]["metric"]["mode"] == "Static"
    assert set(record["landmarks_mm"]) == {"before", "after"}
    assert record["landmarks_mm"]["before"]["mean"] == pytest.approx(float(np.linalg.norm(MOTION)), abs=1e-4)


def test_the_log_echoes_maps_and_ends_with_times(everything: Path) -> None:
    text = (everything / "elastix.log").read_text()
    for words in (
        "elastix-impact version", "start of ParameterMap", '(Metric "Impact")', "Resolution: 1",
        "Final metric value  =",
        "Total time elapsed: ", "TRE before: mean", "TRE after: mean", 'parameter file 1: "',
    ):  # fmt: skip
        assert words in text


def test_a_registration_brings_the_landmarks_together(data: Path, tmp_path: Path) -> None:
    record = run_case(make_case(data, tmp_path))
    assert record.landmarks["after"].mean < 0.4 * record.landmarks["before"].mean


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(data: Path, tmp_path: Path) -> None:
    quick = write_map(tmp_path / "quick.txt", MaximumNumberOfIterations="4", WriteResultImage='"false"')
    texts = []
    for number, seed in enumerate([5, 5, 6]):
        run_case(replace(make_case(data, tmp_path / str(number), quick), seed=seed))
        texts.append((tmp_path / str(number) / "TransformParameters.0.txt").read_bytes())
        assert not (tmp_path / str(number) / "result.0.mha").exists()
    assert texts[0] == texts[1] != texts[2]


def test_an_initial_transform_is_used_measured_and_written_along(data: Path, tmp_path: Path) -> None:
    sitk.WriteTransform(sitk.TranslationTransform(3, MOTION.tolist()), str(tmp_path / "start.tfm"))
    quick = write_map(tmp_path / "quick.txt", MaximumNumberOfIterations="2", NumberOfResolutions="1")
    quick.write_text(quick.read_text().replace("1 1 1 1 1 1", "1 1 1").replace("1 1 1 0 0 0", "0 0 0"))
    case = replace(make_case(data, tmp_path / "Out", quick), initial_transform=tmp_path / "start.tfm")
    record = run_case(case)
    assert record.landmarks["initial"].maximum == pytest.approx(0.0, abs=1e-5)
    assert record.landmarks["after"].mean < 1.0
    name = record.files[record.files.index("registration.json") + 1]
    assert (
        f'(InitialTransformParameterFileName "{name}")' in (tmp_path / "Out" / "TransformParameters.0.txt").read_text()
    )
    (tmp_path / "start.tfm").unlink()
    whole = read_initial_transform(tmp_path / "Out" / "TransformParameters.0.txt")
    assert (whole.map_points(sample_points()) - sample_points()).numpy() == pytest.approx(
        np.broadcast_to(MOTION, (2, 3)), abs=2.0
    )


class InterruptingObserver(NullObserver):
    """Presses Ctrl-C in the second level."""

    def on_level_start(self, level: int, *rest: object) -> None:
        if level == 1:
            raise KeyboardInterrupt


def test_ctrl_c_in_the_second_level_leaves_the_first_and_says_so(data: Path, tmp_path: Path) -> None:
    (tmp_path / "result.0.mha").write_text("an older result")
    with pytest.raises(KeyboardInterrupt):
        run_case(make_case(data, tmp_path), observers=[InterruptingObserver()])
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"elastix.log", "registration.json", "IterationInfo.0.R0.txt"}
    record = json.loads((tmp_path / "registration.json").read_text())
    assert (record["complete"], record["status"]) == (False, "interrupted")
    assert "not complete (interrupted)" in (tmp_path / "elastix.log").read_text()


def test_a_registration_that_failed_leaves_no_result(data: Path, tmp_path: Path, monkeypatch) -> None:
    real = module.register

    def failing(*images: object, **named: object):
        result = real(*images, **named)
        return replace(result, stop_reason=StopReason.TOO_FEW_SAMPLES)

    monkeypatch.setattr(module, "register", failing)
    quick = write_map(tmp_path / "quick.txt", MaximumNumberOfIterations="2")
    record = run_case(make_case(data, tmp_path / "Out", quick))
    assert record.status == "failed"
    assert "RequiredRatioOfValidSamples" in record.message
    names = {path.name for path in (tmp_path / "Out").iterdir()}
    assert not {"result.0.mha", "TransformParameters.0.txt"} & names
    assert json.loads((tmp_path / "Out" / "registration.json").read_text())["complete"] is False


def test_warnings_come_as_they_happen_and_are_kept(data: Path, tmp_path: Path) -> None:
    quick = write_map(tmp_path / "quick.txt", MaximumNumberOfIterations="2", ImpactGPU="0")
    heard: list[str] = []
    case = replace(make_case(data, tmp_path / "Out", quick), fixed_labels=data / "FixedImage.mha")
    record = run_case(case, on_warning=heard.append)
    assert record.warnings == heard
    assert any("labels of both images" in text for text in heard)
    assert all(text in (tmp_path / "Out" / "elastix.log").read_text() for text in heard)
    assert json.loads((tmp_path / "Out" / "registration.json").read_text())["warnings"] == heard


def test_real_transformix_makes_the_same_image_from_our_files(data: Path, tmp_path: Path) -> None:
    itk = pytest.importorskip("itk", reason="itk-elastix is not installed")
    quick = write_map(tmp_path / "quick.txt", MaximumNumberOfIterations="8")
    run_case(make_case(data, tmp_path, quick, quick))
    chain = itk.ParameterObject.New()
    for number in (0, 1):
        chain.AddParameterFile(str(tmp_path / f"TransformParameters.{number}.txt"))
    moving = itk.imread(str(data / "MovingImage.mha"), itk.F)
    theirs = itk.array_from_image(itk.transformix_filter(moving, chain, log_to_console=False))
    ours = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "result.1.mha")))
    assert np.abs(np.rint(theirs) - ours).max() <= 1
