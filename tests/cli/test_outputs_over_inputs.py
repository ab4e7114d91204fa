"""No command writes over a file that it reads; it says so before anything is written, and exits with 2."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import SimpleITK as sitk
import torch

from elastix_impact.cli.main import main
from tiny_case import content, write_tiny_case


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_tiny_case(tmp_path / "Data")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def shift(path: Path) -> Path:
    sitk.WriteTransform(sitk.TranslationTransform(2, (3.0, 0.0)), str(path))
    return path


def refused(capsys: pytest.CaptureFixture[str], folder: Path, words: list[object], code: int = 2) -> str:
    """What is said; nothing in `folder` has changed."""
    before = content(folder)
    assert main([str(word) for word in words]) == code
    said = capsys.readouterr().err
    assert "would replace the input" in said
    assert len(said.splitlines()) == 1
    assert content(folder) == before
    return said


def a_copy(data: Path, name: str, place: Path) -> Path:
    return shutil.copyfile(data / name, place)


def a_link(data: Path, name: str, place: Path) -> Path:
    place.symlink_to(data / name)
    return data / name


def a_hard_link(data: Path, name: str, place: Path) -> Path:
    os.link(data / name, place)
    return data / name


@pytest.mark.parametrize("made", [a_copy, a_link, a_hard_link])
@pytest.mark.parametrize("command", ["register", "elastix"])
def test_an_image(made: Callable[[Path, str, Path], Path], command: str, data: Path, out: Path, capsys) -> None:
    fixed = made(data, "FixedImage.mha", out / "result.0.mhd")
    words = {
        "register": ["register", "-f", fixed, "-o", out, "--quiet"],
        "elastix": ["elastix", "-f", fixed, "-out", out],
    }[command]
    refused(
        capsys, out.parent, [*words, "-m", data / "MovingImage.mha", "-p", data / "ParameterMap.txt"],
        code=2 if command == "register" else 1,
    )  # fmt: skip


def test_the_voxels_behind_a_header(data: Path, out: Path, capsys) -> None:
    sitk.WriteImage(sitk.ReadImage(str(data / "MovingImage.mha")), str(out / "moving.mhd"))
    (out / "moving.raw").rename(out / "result.0.raw")
    header = (out / "moving.mhd").read_text().replace("moving.raw", "result.0.raw")
    (out / "moving.mhd").write_text(header)
    words = ["-f", data / "FixedImage.mha", "-m", out / "moving.mhd", "-p", data / "ParameterMap.txt", "-o", out]
    assert "result.0.raw" in refused(capsys, out, ["register", "--quiet", *words])


OTHERS = {
    "--fixed-points": ("Fixed_landmarks.txt", "InitialTransform.0.txt"),
    "--fixed-mask": ("FixedImage.mha", "result.0.mha"),
    "--moving-labels": ("FixedImage.mha", "moved_labels.mha"),
    "--label-names": ("ParameterMap.txt", "labels.csv"),
    "-p": ("ParameterMap.txt", "IterationInfo.0.R0.txt"),
}


@pytest.mark.parametrize("option", OTHERS)
def test_what_else_is_read(option: str, data: Path, out: Path, capsys) -> None:
    name, there = OTHERS[option]
    given = {"-p": data / "ParameterMap.txt"} | {option: a_copy(data, name, out / there)}
    words = [word for pair in given.items() for word in pair]
    pair = ["-f", data / "FixedImage.mha", "-m", data / "MovingImage.mha", "-o", out]
    assert there in refused(capsys, out, ["register", "--quiet", *pair, *words])


def test_an_initial_transform_and_the_chain_that_it_names(data: Path, out: Path, tmp_path: Path, capsys) -> None:
    pair = ["-f", data / "FixedImage.mha", "-m", data / "MovingImage.mha", "-p", data / "ParameterMap.txt"]
    assert main([str(word) for word in ["register", "--quiet", *pair, "-o", out]]) == 0
    capsys.readouterr()
    first = out / "TransformParameters.0.txt"
    refused(capsys, out, ["register", "--quiet", *pair, "-o", out, "--initial-transform", first])
    last = tmp_path / "last.txt"
    last.write_text(first.read_text().replace("NoInitialTransform", str(first)))
    said = refused(capsys, out, ["register", "--quiet", *pair, "-o", out, "--initial-transform", last])
    assert str(first) in said


def test_transform(data: Path, out: Path, capsys) -> None:
    image, reference, transform = (a_copy(data, "FixedImage.mha", out / name) for name in ("a.mha", "r.mha", "t.mha"))
    transform = shift(out / "t.tfm")
    os.link(image, out / "b.mha")
    (out / "c.mha").symlink_to(reference)
    base = ["transform", "-t", transform, "--reference", reference]
    for result in (image, out / "b.mha", out / "c.mha", out / ".." / "out" / "r.mha"):
        refused(capsys, out, [*base, "--image", image, "-o", result])
    refused(capsys, out, [*base, "--export", transform])
    refused(capsys, out, [*base, "--field", "-o", image.with_name("r.mha")])


def test_transformix(data: Path, out: Path, capsys) -> None:
    pair = ["-f", data / "FixedImage.mha", "-m", data / "MovingImage.mha", "-p", data / "ParameterMap.txt"]
    assert main([str(word) for word in ["register", "--quiet", *pair, "-o", out]]) == 0
    capsys.readouterr()
    image = a_copy(data, "MovingImage.mha", out / "result.mhd")
    transform = out / "TransformParameters.0.txt"
    refused(capsys, out, ["transformix", "-tp", transform, "-in", image, "-out", out], code=1)
    points = a_copy(data, "Fixed_landmarks.txt", out / "outputpoints.txt")
    refused(capsys, out, ["transformix", "-tp", transform, "-def", points, "-out", out], code=1)


def test_evaluate(data: Path, out: Path, capsys) -> None:
    transform = shift(out / "t.tfm")
    points = a_copy(data, "Fixed_landmarks.txt", out / "landmarks.csv")
    words = ["evaluate", "-t", transform, "--fixed-points", points, "--moving-points", data / "Moving_landmarks.txt"]
    refused(capsys, out, [*words, "-o", out])


def test_report(data: Path, out: Path, capsys) -> None:
    pair = ["-f", data / "FixedImage.mha", "-m", data / "MovingImage.mha", "-p", data / "ParameterMap.txt"]
    assert main([str(word) for word in ["register", "--quiet", *pair, "-o", out]]) == 0
    capsys.readouterr()
    for target in (data / "FixedImage.mha", out / "registration.json", out / "TransformParameters.0.txt"):
        refused(capsys, out.parent, ["report", out, "-o", target])


def test_models_export_and_presets_show(data: Path, out: Path, capsys) -> None:
    weights = out / "weights.pt"
    torch.save({}, weights)
    refused(capsys, out, ["models", "export", "anatomix", weights, "--out", weights])
    image = a_copy(data, "FixedImage.mha", out / "image.mha")
    assert main(["presets", "show", "rigid", "--to", str(out.parent / "maps")]) == 0
    name = min(path.name for path in (out.parent / "maps").glob("*.txt"))
    os.link(image, out / name)
    capsys.readouterr()
    refused(capsys, out, ["presets", "show", "rigid", "-f", image, "--to", out])


def test_a_file_of_the_same_name_that_is_not_read_is_replaced(data: Path, out: Path) -> None:
    (out / "result.0.mhd").write_text("of nobody who is read")
    pair = ["-f", data / "FixedImage.mha", "-m", data / "MovingImage.mha", "-p", data / "ParameterMap.txt"]
    assert main([str(word) for word in ["register", "--quiet", *pair, "-o", out]]) == 0
    assert json.loads((out / "registration.json").read_text())["complete"]
