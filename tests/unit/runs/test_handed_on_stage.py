"""A stage in itk-elastix sees what a native one sees, and leaves what a native one leaves. Small oblique 2-D images."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("itk", reason="itk-elastix is not installed")

from elastix_impact.errors import RegistrationFailedError
from elastix_impact.io.transform_file import read_transform_file
from elastix_impact.observers.progress import BarProgress, LineProgress
from elastix_impact.runs.case import Case
from elastix_impact.runs.record import RunRecord
from elastix_impact.runs.run_case import run_case
from elastix_impact.staging.staged import WORK_NAME

SIZE, SPACING, ORIGIN = (44, 40), (2.0, 2.0), (300.0, -500.0)
ANGLE = np.deg2rad(30)
DIRECTION = np.array([[np.cos(ANGLE), -np.sin(ANGLE)], [np.sin(ANGLE), np.cos(ANGLE)]])
MOTION = np.array([5.0, -3.0])
"""mm; the fixed point x shows what the moving point x + MOTION shows."""

MAP = {
    "Registration": '"MultiResolutionRegistration"', "FixedImageDimension": "2", "MovingImageDimension": "2",
    "FixedImagePyramid": '"FixedSmoothingImagePyramid"', "MovingImagePyramid": '"MovingSmoothingImagePyramid"',
    "Interpolator": '"LinearInterpolator"', "ResampleInterpolator": '"FinalLinearInterpolator"',
    "Resampler": '"DefaultResampler"', "Transform": '"TranslationTransform"', "Optimizer": '"Powell"',
    "Metric": '"AdvancedMeanSquares"', "ImageSampler": '"Full"', "NumberOfResolutions": "1",
    "MaximumNumberOfIterations": "30", "AutomaticTransformInitialization": '"false"',
    "AutomaticScalesEstimation": '"true"', "ResultImageFormat": '"mha"', "ResultImagePixelType": '"float"',
    "MaximumStepLength": "1.0", "RequiredRatioOfValidSamples": "0.05",
}  # fmt: skip


def _map(path: Path, **changes: str) -> Path:
    path.write_text("\n".join(f"({name} {value})" for name, value in (MAP | changes).items()))
    return path


def _world() -> np.ndarray:
    """World points in mm of the voxels, (y, x, 2)."""
    y, x = np.meshgrid(*(np.arange(n) for n in SIZE[::-1]), indexing="ij")
    return (np.stack([x, y], axis=-1) * np.array(SPACING)) @ DIRECTION.T + np.array(ORIGIN)


def _blob(points: np.ndarray, offset: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    centre = _world()[SIZE[1] // 2, SIZE[0] // 2] + np.array(offset)
    along = (points - centre) @ DIRECTION
    return 100 * np.exp(-((along[..., 0] / 14) ** 2) - (along[..., 1] / 9) ** 2)


def _write(path: Path, values: np.ndarray) -> Path:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN)
    image.SetDirection(DIRECTION.ravel().tolist())
    sitk.WriteImage(image, str(path))
    return path


def _points(path: Path, points: np.ndarray) -> Path:
    path.write_text(f"point\n{len(points)}\n" + "".join(f"{x:.6f} {y:.6f}\n" for x, y in points))
    return path


def _read_points(path: Path) -> np.ndarray:
    return np.loadtxt(path, skiprows=2)


@pytest.fixture
def case(tmp_path: Path) -> dict[str, Path]:
    """The images, and landmarks that move by MOTION."""
    points = _world()
    landmarks = points[8:33:8, 8:37:7].reshape(-1, 2)
    return {
        "fixed": _write(tmp_path / "fixed.mha", _blob(points).astype(np.float32)),
        "moving": _write(tmp_path / "moving.mha", _blob(points - MOTION).astype(np.float32)),
        "fixed_points": _points(tmp_path / "fixed.txt", landmarks),
        "moving_points": _points(tmp_path / "moving.txt", landmarks + MOTION),
    }


def _run(case: dict[str, Path], out: Path, *maps: Path, **options) -> RunRecord:
    record = run_case(
        Case(**(case | {"maps": maps, "out": out, "threads": 1}), **options), on_warning=lambda _text: None
    )
    assert record.status == "complete"
    return record


def _shift(out: Path, number: int = 0) -> np.ndarray:
    return read_transform_file(out / f"TransformParameters.{number}.txt").transform.parameters.numpy()


@pytest.mark.parametrize("direction", ["true", "false"])
def test_oblique_images_are_seen_as_the_map_says(case: dict[str, Path], tmp_path: Path, direction: str) -> None:
    out = tmp_path / "out"
    record = _run(case, out, _map(tmp_path / "map.txt", UseDirectionCosines=f'"{direction}"'))
    seen = MOTION if direction == "true" else MOTION @ DIRECTION
    np.testing.assert_allclose(_shift(out), seen, atol=0.4)
    assert record.landmarks["after"].mean < 0.3
    result, fixed = (sitk.ReadImage(str(path)) for path in (out / "result.0.mha", case["fixed"]))
    np.testing.assert_allclose(result.GetDirection(), fixed.GetDirection(), atol=1e-6)
    inside = (slice(6, -6), slice(6, -6))
    np.testing.assert_allclose(sitk.GetArrayFromImage(result)[inside], sitk.GetArrayFromImage(fixed)[inside], atol=5)


@pytest.mark.parametrize("direction", ["true", "false"])
def test_masks_are_seen_too(case: dict[str, Path], tmp_path: Path, direction: str) -> None:
    """What lies outside the mask moves the other way, and weighs more."""
    points, off = _world(), (24.0 * DIRECTION[:, 0]).tolist()
    fixed = _blob(points) * 0.5 + 3 * _blob(points, off)
    moving = _blob(points - MOTION) * 0.5 + 3 * _blob(points + MOTION, off)
    near = (_blob(points, (-10.0 * DIRECTION[:, 0]).tolist()) > 15).astype(np.uint8)
    pair = {
        "fixed": _write(tmp_path / "two.mha", fixed.astype(np.float32)),
        "moving": _write(tmp_path / "apart.mha", moving.astype(np.float32)),
    }
    use = _map(tmp_path / "map.txt", UseDirectionCosines=f'"{direction}"')
    seen = MOTION if direction == "true" else MOTION @ DIRECTION
    far = []
    for name, masks in (("without", {}), ("with", {"fixed_mask": _write(tmp_path / "mask.mha", near)})):
        _run(case | pair | masks, tmp_path / name, use)
        far.append(np.linalg.norm(_shift(tmp_path / name) - seen))
    assert far[1] < 0.5 * far[0]


@pytest.mark.parametrize("direction", ["true", "false"])
def test_points_reach_the_metric(case: dict[str, Path], tmp_path: Path, direction: str) -> None:
    """Two metrics, so that several of them are tried too; the images, without weight, would say the opposite."""
    opposite = _points(
        tmp_path / "opposite.txt", 2 * _read_points(case["fixed_points"]) - _read_points(case["moving_points"])
    )
    points = _map(
        tmp_path / "map.txt", Registration='"MultiMetricMultiResolutionRegistration"',
        Metric='"AdvancedMeanSquares" "CorrespondingPointsEuclideanDistanceMetric"',
        Metric0Weight="0", Metric1Weight="1", UseDirectionCosines=f'"{direction}"',
    )  # fmt: skip
    record = _run(case | {"moving_points": opposite}, tmp_path / "out", points)
    assert record.landmarks["after"].mean < 0.2


@pytest.mark.parametrize(
    "before",
    [
        {},
        {"WriteFinalTransformParameters": '"false"'},
        {"OutputTransformParameterFileFormat": '"TOML"'},
        {"ITKTransformOutputFileNameExtension": '"tfm"'},
    ],
    ids=["text", "no file", "TOML", "ITK"],
)
def test_it_starts_where_a_native_stage_ended(case: dict[str, Path], tmp_path: Path, before: dict[str, str]) -> None:
    native = _map(tmp_path / "native.txt", Optimizer='"RegularStepGradientDescent"', **before)
    still = _map(
        tmp_path / "still.txt", Optimizer='"RSGDEachParameterApart"', MaximumStepLength="0.001",
        MinimumStepLength="0.0001", MaximumNumberOfIterations="1",
    )  # fmt: skip
    out = tmp_path / "out"
    record = _run(case, out, native, still)
    assert record.landmarks["after"].mean < 0.3
    assert np.abs(_shift(out, 1)).max() < 0.1


def test_levels_leave_transforms_and_images_if_asked(case: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    shift = _map(tmp_path / "shift.txt", Optimizer='"RegularStepGradientDescent"', UseDirectionCosines='"false"')
    spline = _map(
        tmp_path / "spline.txt", Transform='"SplineKernelTransform"', SplineKernelType='"ThinPlateSpline"',
        Optimizer='"AdaptiveStochasticGradientDescent"', MaximumNumberOfIterations="2", NumberOfResolutions="2",
        WriteTransformParametersEachResolution='"true"', WriteResultImageAfterEachResolution='"true"',
        WriteIterationInfo='"false"', ResultImageFormat='"nii.gz"', ResultImageName='"warped"',
        UseDirectionCosines='"false"',
    )  # fmt: skip
    record = _run(case, out, shift, spline)
    names = {path.name for path in out.iterdir()}
    assert names == set(record.files)
    assert {name for name in names if ".1." in name} == {
        "TransformParameters.1.txt", "TransformParameters.1.R0.txt", "TransformParameters.1.R1.txt",
        "warped.1.nii.gz", "warped.1.R0.nii.gz", "warped.1.R1.nii.gz",
    }  # fmt: skip
    for name in ("TransformParameters.1.txt", "TransformParameters.1.R0.txt"):
        assert '(InitialTransformParameterFileName "TransformParameters.0.txt")' in (out / name).read_text()
    result = sitk.ReadImage(str(out / "warped.1.nii.gz"))
    np.testing.assert_allclose(result.GetDirection(), DIRECTION.ravel(), atol=1e-5)
    assert "after" not in record.landmarks


def test_the_seed_decides(case: dict[str, Path], tmp_path: Path) -> None:
    use = _map(
        tmp_path / "map.txt",
        ImageSampler='"RandomCoordinate"',
        NumberOfSpatialSamples="60",
        Optimizer='"RSGDEachParameterApart"',
    )
    shifts = []
    for k, seed in enumerate((1, 1, 2)):
        _run(case, tmp_path / f"out{k}", use, seed=seed)
        shifts.append(_shift(tmp_path / f"out{k}"))
    assert (shifts[0] == shifts[1]).all()
    assert (shifts[0] != shifts[2]).any()


def test_progress_names_the_levels_and_the_log_has_elastix_s_lines(case: dict[str, Path], tmp_path: Path) -> None:
    lines, bar = io.StringIO(), io.StringIO()
    maps = (
        _map(tmp_path / "map.txt", NumberOfResolutions="2", MaximumNumberOfIterations="3"),
        _map(tmp_path / "native.txt", Optimizer='"RegularStepGradientDescent"', MaximumNumberOfIterations="2"),
    )
    observers = [LineProgress(lines), BarProgress(bar)]
    run_case(
        Case(fixed=case["fixed"], moving=case["moving"], maps=maps, out=tmp_path / "out"),
        observers=observers,
        on_warning=lambda _text: None,
    )
    said = lines.getvalue().splitlines()
    assert said[0].startswith(f"registering with {tmp_path / 'map.txt'} on itk-elastix ")
    assert said[1:3] == ["level 1/2: in elastix", "level 2/2: in elastix"]
    assert said[3] == "measuring the result"
    assert said[4].endswith("native.txt on cpu")
    assert "level 1/1: metric" in bar.getvalue()
    assert "Stopping condition" in (tmp_path / "out" / "elastix.log").read_text()


def test_a_crash_is_one_sentence(case: dict[str, Path], tmp_path: Path, monkeypatch) -> None:
    out, code = tmp_path / "out", tmp_path / "code"
    code.mkdir()
    (code / "crashes.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setenv("PYTHONPATH", str(code), prepend=os.pathsep)
    monkeypatch.setattr("elastix_impact.io.itk_elastix._PROCESS", "crashes")
    monkeypatch.setenv("PYTHONPATH", f"{out}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    with pytest.raises(RegistrationFailedError, match=r"itk-elastix failed: it crashed \(signal 11\)"):
        _run(case, out, _map(tmp_path / "map.txt"))
    assert not list(out.rglob(".stage*"))


def _iterating(case: dict[str, Path], tmp_path: Path, out: Path) -> "subprocess.Popen[str]":
    """A run whose stage would take for ever, once elastix iterates."""
    long = {"Optimizer": '"SimultaneousPerturbation"', "MaximumNumberOfIterations": "1000000", "SP_a": "0.0001"}
    use = _map(tmp_path / "long.txt", **long)  # SP_a: steps so small that it never leaves the image
    words = ["register", "-f", case["fixed"], "-m", case["moving"], "-p", use, "-o", out]
    run = subprocess.Popen(
        [sys.executable, "-m", "elastix_impact", *words],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    log, until = out / WORK_NAME / "elastix.log", time.monotonic() + 60
    while not (log.is_file() and "Resolution: 0" in log.read_text()):
        assert time.monotonic() < until
        assert run.poll() is None
        time.sleep(0.05)
    return run


def test_it_can_be_interrupted(case: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = _iterating(case, tmp_path, out)
    os.kill(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=30)
    assert run.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    assert json.loads((out / "registration.json").read_text())["status"] == "interrupted"
    assert not list(out.glob(".stage*"))
    assert not _processes_of(out)


def test_nothing_of_it_lives_on_when_the_run_is_killed(case: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = _iterating(case, tmp_path, out)
    assert len(_processes_of(out)) == 2
    run.kill()
    run.communicate(timeout=30)
    until = time.monotonic() + 10
    while _processes_of(out):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert not list(out.rglob("*.mha"))


def _processes_of(out: Path) -> list[bytes]:
    """The command lines of processes that name this folder."""
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    return [command for command in commands if str(out).encode() in command]
