"""Everything a user can get wrong: exit code, one paragraph naming thing and remedy, nothing half-written."""

import errno
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from elastix_impact.cli.main import main
from elastix_impact.runs import device, run_stages
from elastix_impact.staging.staged import WORK_NAME
from small_case import MAP, ORIGIN, intensities, world_points, write_points, write_small_case, write_volume

RESULTS = ("TransformParameters*", "result*", "*.tmp", ".*")


@pytest.fixture(scope="session")
def pristine(tmp_path_factory) -> Path:
    """The small case, written once."""
    return write_small_case(tmp_path_factory.mktemp("case"))


@pytest.fixture
def data(pristine: Path, tmp_path: Path) -> Path:
    """A copy of the small case to spoil."""
    folder = tmp_path / "Data"
    for source in pristine.rglob("*"):
        if source.is_file():
            target = folder / source.relative_to(pristine)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    return folder


@pytest.fixture
def fails(data: Path, tmp_path: Path, capsys) -> Callable[..., str]:
    """Run the case, assert that it fails as it should, and return the paragraph."""

    def run(*options: str, code: int = 2, out: Path | None = None) -> str:
        out = out or tmp_path / "Out"
        assert main(["run", "--data", str(data), "--out", str(out), "--quiet", *options]) == code
        captured = capsys.readouterr()
        errors = captured.err.split("elastix-impact: error: ")
        assert len(errors) == 2, captured.err
        assert "Traceback" not in captured.err
        assert captured.out == ""
        if out.is_dir():
            assert not [path for pattern in RESULTS for path in out.glob(pattern)]
            record = json.loads((out / "registration.json").read_text())
            assert record["complete"] is False
            assert record["message"]
            assert "is not complete" in (out / "elastix.log").read_text()
        return errors[1]

    return run


def spoil_map(data: Path, old: str, new: str) -> None:
    assert old in MAP
    (data / "ParameterMap.txt").write_text(MAP.replace(old, new))


def assert_words(text: str, *words: str) -> None:
    for word in words:
        assert word in text, f"{word!r} is not in {text!r}"


def test_a_missing_image(data: Path, fails) -> None:
    (data / "MovingImage.mha").rename(data / "moving_img.mha")
    assert_words(fails(), "no moving image", "MovingImage or Moving_image", "moving_img.mha", "Rename")


@pytest.mark.parametrize("content", [b"", b"not an image at all", None])
def test_a_corrupt_image(content: bytes | None, data: Path, fails) -> None:
    path = data / "FixedImage.mha"
    path.write_bytes(path.read_bytes()[:1500] if content is None else content)
    assert_words(fails(), "FixedImage.mha")


def test_a_slice_against_a_volume(data: Path, fails) -> None:
    volume = sitk.ReadImage(str(data / "MovingImage.mha"))
    sitk.WriteImage(volume[:, :, 5], str(data / "MovingImage.mha"))
    assert_words(fails(), "3 dimensions", "MovingImage.mha", "has 2", "volume with a volume")


def test_images_that_do_not_overlap(data: Path, fails) -> None:
    origin = (ORIGIN[0] + 1000, *ORIGIN[1:])
    write_volume(data / "MovingImage.mha", intensities(world_points()), origin=origin)
    assert_words(fails(), "do not overlap", "1000 mm apart", "--initial-transform", "x -60 to 48")


def write_mask(path: Path, first: int, last: int) -> None:
    values = np.zeros(world_points().shape[:3])
    values[:, :, first:last] = 1
    write_volume(path, values)


def test_masks_that_do_not_meet(data: Path, fails) -> None:
    write_mask(data / "Fixed_mask.mha", 0, 5)
    write_mask(data / "Moving_mask.mha", 20, 25)
    assert_words(fails(), "Fixed_mask.mha", "no voxel of the fixed mask", "Moving_mask.mha")


def test_an_empty_mask(data: Path, fails) -> None:
    write_mask(data / "Fixed_mask.mha", 0, 0)
    assert_words(fails(), "Fixed_mask.mha", "empty")


def test_not_a_number_in_an_image(data: Path, fails) -> None:
    values = intensities(world_points()).astype(np.float32)
    values[3, 4, 5] = np.nan
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(sitk.ReadImage(str(data / "MovingImage.mha")))
    sitk.WriteImage(image, str(data / "MovingImage.mha"))
    assert_words(fails(), "MovingImage.mha", "NaN", "1 ")


def test_a_constant_image(data: Path, fails) -> None:
    write_volume(data / "MovingImage.mha", np.full(world_points().shape[:3], 7))
    assert_words(fails(), "MovingImage.mha", "7")


def test_a_missing_model_names_what_was_tried_and_what_is_there(data: Path, fails, tmp_path: Path) -> None:
    spoil_map(data, "MIND/R1D2_3D.pt", "MIND/R1D3_3D.pt")
    assert_words(fails(), "R1D3_3D.pt", "tried", "R1D2_3D.pt")
    assert not (tmp_path / "Out").exists()


@pytest.mark.parametrize("size", [0, 900])
def test_a_corrupt_model(size: int, data: Path, fails) -> None:
    path = data / "Models" / "MIND" / "R1D2_3D.pt"
    path.write_bytes(path.read_bytes()[:size])
    assert_words(fails(), "R1D2_3D.pt")


def test_a_model_that_is_no_torchscript(data: Path, fails) -> None:
    torch.save({"weight": torch.zeros(3)}, data / "Models" / "MIND" / "R1D2_3D.pt")
    assert_words(fails(), "R1D2_3D.pt", "TorchScript")


def test_a_layers_mask_of_the_wrong_length(data: Path, fails) -> None:
    spoil_map(data, '(ImpactLayersMask0 "1")', '(ImpactLayersMask0 "101")')
    spoiled = (data / "ParameterMap.txt").read_text().replace("SubsetFeatures0 12", "SubsetFeatures0 12 12")
    (data / "ParameterMap.txt").write_text(spoiled)
    assert_words(fails(), "R1D2_3D.pt", "3", "1")


def test_a_wrong_number_of_channels(data: Path, fails) -> None:
    spoil_map(data, "(ImpactNumberOfChannels0 1)", "(ImpactNumberOfChannels0 3)")
    script = torch.jit.script(OneChannel())
    script.save(str(data / "Models" / "MIND" / "R1D2_3D.pt"))
    assert_words(fails(), "R1D2_3D.pt", "ImpactNumberOfChannels")


class OneChannel(torch.nn.Module):
    """A model that takes one channel."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv3d(1, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [self.layer(x)]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("(ImpactDistance0 ", "(ImpactDistence0 ", ("ImpactDistence0", "ImpactDistance0")),
        ("(ImpactVoxelSize0 4 4 4)", "(ImpactVoxelSize0 4 4 4 4 4)", ("ImpactVoxelSize0", "ParameterMap.txt:")),
        ("(ImpactPCA0 0)", "(ImpactPCA0 0)\n(ImpactPCA0 1)", ("ImpactPCA0", "ParameterMap.txt:")),
        ('(ImpactDistance0 "L2")', '(ImpactDistance0 "L3")', ("ImpactDistance0", "L3", "NCC")),
        ('(ImpactMode "Static")', '(ImpactMode "Static"', ("ParameterMap.txt:",)),
    ],
)
def test_faults_of_a_map_are_named_before_anything_is_made(
    old: str, new: str, words: tuple[str, ...], data: Path, fails, tmp_path: Path
) -> None:
    spoil_map(data, old, new)
    assert_words(fails(), *words)
    assert not (tmp_path / "Out").exists()


def test_faults_of_two_maps_come_together_and_before_the_images(data: Path, fails) -> None:
    spoil_map(data, '(ImpactDistance0 "L2")', '(ImpactDistance0 "L3")')
    (data / "ParameterMap.1.txt").write_text(MAP.replace("(ImpactPCA0 0)", '(ImpactPCA0 "x")'))
    (data / "FixedImage.mha").write_bytes(b"broken")
    text = fails()
    assert_words(text, "ParameterMap.txt:", "ImpactDistance0", "ParameterMap.1.txt:", "ImpactPCA0")
    assert "FixedImage" not in text


def test_a_gpu_that_is_absent(fails, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(device, "present_devices", lambda: ("cpu",))
    assert_words(fails("--device", "cuda:1"), "cuda:1", "absent", "cpu", "--device")
    assert not (tmp_path / "Out").exists()


def test_landmarks_that_can_not_be_paired(data: Path, fails) -> None:
    write_points(data / "Fixed_landmarks.txt", np.zeros((3, 3)))
    assert_words(fails(), "3", "20")


def test_an_output_folder_that_is_a_file(tmp_path: Path, fails) -> None:
    (tmp_path / "file").write_text("")
    assert_words(fails(out=tmp_path / "file"), "file", "another")
    assert_words(fails(out=tmp_path / "file" / "below"), "below", "permissions")


def test_an_output_folder_that_nobody_may_write(fails) -> None:
    out = Path("/proc/elastix-impact")
    assert_words(fails(out=out), str(out), "another output folder")


def stop_with(error: BaseException):
    def register(*_positional: object, **_named: object) -> None:
        raise error

    return register


def test_a_full_disk(fails, monkeypatch) -> None:
    monkeypatch.setattr(run_stages, "register", stop_with(OSError(errno.ENOSPC, "No space left on device", "/Out/x")))
    assert_words(fails(), "disk is full", "/Out/x", "Free some space")


def test_too_little_memory(fails, monkeypatch) -> None:
    monkeypatch.setattr(run_stages, "register", stop_with(MemoryError()))
    assert_words(fails(code=1), "not enough memory", "ImpactVoxelSize")


def test_ctrl_c(fails, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run_stages, "register", stop_with(KeyboardInterrupt()))
    assert_words(fails(code=130), "interrupted", "marked as incomplete")
    assert json.loads((tmp_path / "Out" / "registration.json").read_text())["status"] == "interrupted"


def test_signals_to_the_real_process(data: Path, tmp_path: Path) -> None:
    spoil_map(data, "(MaximumNumberOfIterations 40)", "(MaximumNumberOfIterations 1000000)")
    for number in (signal.SIGINT, signal.SIGTERM):
        out = tmp_path / number.name
        words = [
            sys.executable,
            "-m",
            "elastix_impact",
            "run",
            "--data",
            str(data),
            "--out",
            str(out),
            "--threads",
            "1",
        ]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, preexec_fn=default_signals) as process:
            wait_for(out / WORK_NAME / "elastix.log", "Resolution: 0", process)
            process.send_signal(number)
            errors = process.communicate(timeout=60)[1]
        assert process.returncode == 128 + number
        assert "Traceback" not in errors
        assert "marked as incomplete. The same command with --resume continues the run." in errors.splitlines()[-1]
        assert [path.name for path in out.iterdir()] == [WORK_NAME]
        out = out / WORK_NAME
        names = {"elastix.log", "registration.json", "IterationInfo.0.R0.txt", "checkpoint.pt"}
        assert {path.name for path in out.iterdir()} <= names
        assert json.loads((out / "registration.json").read_text())["status"] == "interrupted"


def default_signals() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def wait_for(path: Path, words: str, process: "subprocess.Popen[str]") -> None:
    for _ in range(600):
        if path.is_file() and words in path.read_text():
            return
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.1)
    raise AssertionError(f"{path} never said {words!r}")


def test_sigterm(fails, monkeypatch) -> None:
    def terminated(*_positional: object, **_named: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(run_stages, "register", terminated)
    assert_words(fails(code=143), "terminated", "marked as incomplete")
