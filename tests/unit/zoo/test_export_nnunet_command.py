"""`models export totalsegmentator | mrsegmentator | nnunet`."""

import argparse
from pathlib import Path

import pytest
import torch

from elastix_impact.cli.models_export_nnunet import add_nnunet_families, model_file_name
from elastix_impact.zoo.load import load_model
from nnunet_folder import Trained, write_folder

FLAT = ((1, 1), (2, 2))


def _export(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_nnunet_families(parser.add_subparsers(required=True))
    arguments = parser.parse_args(words)
    return arguments.run(arguments)


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trained:
    monkeypatch.chdir(tmp_path)
    return write_folder(tmp_path / "zip", strides=FLAT)


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("totalsegmentator", "M291"),
        ("mrsegmentator", "MRSeg"),
        ("nnunet", "Dataset291_TotalSegmentator_part1_organs_1559subj"),
    ],
)
def test_files_have_their_usual_names(
    trained: Trained, capsys: pytest.CaptureFixture[str], family: str, name: str
) -> None:
    assert _export(family, str(trained.folder.parent)) == 0
    assert capsys.readouterr().out == f"{name}.pt\n"
    assert Path(f"{name}.pt").is_file()


def test_names_keep_to_the_published_ones() -> None:
    assert model_file_name("totalsegmentator", "Dataset730_TotalSegmentatorMRI_part1_organs_495subj") == "M730.pt"
    assert model_file_name("totalsegmentator", "organs") == "organs.pt"


def test_options_reach_the_export(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--layers", "all", "--orientation", "as_is", "--fold", "0", "--configuration", "3d_fullres"]
    assert _export("nnunet", str(trained.folder), "--out", str(tmp_path / "models"), *options) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.parent == tmp_path / "models"
    x = torch.randn(1, 1, 8, 8)
    ours = load_model(path)(x, 9, torch.zeros(4), torch.eye(2))
    scaled = (x.clamp(-900, 800) - 40) / 300
    for layer, expected in zip(ours, trained.layers(scaled)):
        torch.testing.assert_close(layer, expected)


def test_families_know_the_orientation_of_their_training(trained: Trained, tmp_path: Path) -> None:
    """MRSegmentator's images lie as the identity says, TotalSegmentator's are turned about z from there."""
    x = torch.randn(1, 1, 8, 8)
    layers = {}
    for family in ("totalsegmentator", "mrsegmentator"):
        _export(family, str(trained.folder), "--out", str(tmp_path / f"{family}.pt"))
        layers[family] = load_model(tmp_path / f"{family}.pt")
    identity = torch.eye(2)
    upright = layers["mrsegmentator"](x, 1, torch.zeros(4), identity)[0]
    turned = layers["totalsegmentator"](x.flip(2, 3), 1, torch.zeros(4), identity)[0]
    torch.testing.assert_close(upright, turned.flip(2, 3))


def test_warnings_are_said_on_stderr(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    trained.configure(normalization_schemes=["ZScoreNormalization"], use_mask_for_norm=[True])
    _export("totalsegmentator", str(trained.folder))
    said = capsys.readouterr()
    assert said.out == "M291.pt\n"
    assert "nonzero voxels" in said.err
