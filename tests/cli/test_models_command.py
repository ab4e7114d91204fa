"""`elastix-impact models`: files made, tables printed, exit codes."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from elastix_impact.cli import models
from elastix_impact.errors import ModelError


def _run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    models.add_parser(parser.add_subparsers(required=True))
    arguments = parser.parse_args(["models", *words])
    return arguments.run(arguments)


def test_export_into_a_folder_prints_the_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("export", "mind", "--radius", "2", "--dilation", "1", "--dim", "2", "--out", str(tmp_path)) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == tmp_path / "R2D1_2D.pt"
    assert torch.jit.load(str(path))(torch.rand(1, 1, 9, 9))[0].shape == (1, 4, 9, 9)


def test_export_to_a_file(tmp_path: Path) -> None:
    assert _run("export", "mind", "--out", str(tmp_path / "new" / "mine.pt")) == 0
    assert (tmp_path / "new" / "mine.pt").is_file()


@pytest.mark.parametrize("words", [("--radius", "3"), ("--dim", "4"), ("--dilation", "x")])
def test_export_refuses_other_numbers(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        _run("export", "mind", *words)
    assert caught.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_inspect_prints_what_the_model_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _run("export", "mind", "--out", str(tmp_path))
    capsys.readouterr()
    assert _run("inspect", str(tmp_path / "R1D2_3D.pt")) == 0
    captured = capsys.readouterr()
    assert "3-D, 1 channel" in captured.out
    assert "(x, nb_layers, stats, direction)" in captured.out
    assert captured.out.splitlines()[-1].split() == ["0", "12", *"111777000"]
    assert "trust" in captured.err
    assert "trust" not in captured.out


def test_inspect_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for dimension in ("2", "3"):
        _run("export", "mind", "--dim", dimension, "--out", str(tmp_path))
    capsys.readouterr()
    assert _run("inspect", "--json", str(tmp_path / "R1D2_2D.pt"), str(tmp_path / "R1D2_3D.pt")) == 0
    flat, volume = json.loads(capsys.readouterr().out)
    assert (flat["dimension"], volume["dimension"]) == (2, 3)
    assert volume["layers"][0]["receptive_field"] == [7, 7, 7]


def test_inspect_of_a_missing_file_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        _run("inspect", str(tmp_path / "none.pt"))


def test_help_does_not_import_torch() -> None:
    code = (
        "import argparse, sys; from elastix_impact.cli import models;"
        "models.add_parser(argparse.ArgumentParser().add_subparsers()); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
