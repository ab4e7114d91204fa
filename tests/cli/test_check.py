"""`elastix-impact check`: findings, tables, exit codes, and no torch."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from elastix_impact.cli.check import add_parser
from small_map import map_text


def check(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["check", *words])
    return arguments.run(arguments)


@pytest.fixture
def good(tmp_path: Path) -> str:
    path = tmp_path / "good.txt"
    path.write_text(map_text())
    return str(path)


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "bad.txt"
    path.write_text(map_text(ImpactVoxelSize1="3 3", ImpactDistence1='"L1"', UseComplement='"true"'))
    return str(path)


def test_a_good_map_shows_its_levels(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(good) == 0
    out = capsys.readouterr().out
    rows = {line[:23].strip(): line[23:].split() for line in out.splitlines()}
    assert rows["grid spacing [mm]"] == ["16", "16", "16", "8", "8", "8"]
    assert rows["iterations"] == ["500", "500"]
    assert rows["metric"] == ["IMPACT,", "Static"] * 2
    assert rows["samples"] == ["5000", "RandomCoordinate"] * 2
    assert rows["voxel size [mm]"] == ["6"] * 6
    assert rows["patch size [voxels]"] == ["whole", "whole"]
    assert "3-D, BSpline transform, 2 levels, RandomSeed 121212" in out


def test_faults_are_all_said_with_their_lines(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(bad) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"error: {bad}:22 ImpactVoxelSize1: needs 3 numbers")
    assert lines[1].startswith(f"error: {bad}:23 ImpactDistence1: ")
    assert lines[1].endswith("Did you mean ImpactDistance1?")
    assert lines[2].startswith(f"hint: {bad}:24 UseComplement: ")
    assert lines[-1] == f"{bad}: 2 errors; the map can't be run"


def test_one_faulty_map_of_several_decides(good: str, bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(good, bad) == 2
    out = capsys.readouterr().out
    assert "level 0" in out
    assert "2 errors" in out


def test_files_that_are_no_maps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "transform.txt").write_text('(Transform "EulerTransform")\n(TransformParameters 0 0 0)')
    (tmp_path / "letter.txt").write_text("Dear all")
    (tmp_path / "image.txt").write_bytes(b"\x80\xff\x00")
    names = ("transform.txt", "letter.txt", "image.txt", "absent.txt")
    assert check(*(str(tmp_path / name) for name in names)) == 2
    out = capsys.readouterr().out
    for words in ("transform file", "not a parameter map", "not text", "no such parameter map"):
        assert words in out


def test_effective_values(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--effective", good) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["NumberOfResolutions", "2", f"{good}:2"] in rows
    assert ["RandomSeed", "121212", "default"] in rows
    assert ["ImpactVoxelSize0", "6", f"{good}:17"] in rows


def test_json(good: str, bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--json", "--effective", good, bad) == 2
    first, second = json.loads(capsys.readouterr().out)
    assert (first["ok"], first["problems"], first["plan"]["dimension"]) == (True, [], 3)
    assert {"name": "RandomSeed", "values": ["121212"], "origin": "default"} in first["effective"]
    assert (second["ok"], second["plan"]) == (False, None)
    assert second["problems"][0]["line"] == 22


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ImpactVoxelSize1", ("ImpactVoxelSize\n", "mm", "above 0", "level's number")),
        ("ImpactDistance0", ("one of L1, L2",)),
        ("UseCruzAcceleration", ("UseAdaptiveStepSizes", "true", "AdaptiveStochasticGradientDescent")),
        ("UseComplement", ("do not read it",)),
    ],
)
def test_explain(name: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--explain", name) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in words)


def test_explain_suggests(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--explain", "ImpactVoxelSiz1") == 2
    assert "Did you mean ImpactVoxelSize1?" in capsys.readouterr().out


def test_nothing_to_check_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        check()
    assert "at least one parameter map" in capsys.readouterr().err


def test_neither_torch_nor_numpy_is_imported(good: str) -> None:
    code = (
        "import sys; from elastix_impact.cli.main import main; code = main()\n"
        "heavy = {'torch', 'numpy', 'SimpleITK', 'jaxtyping'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", code, "check", good], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "level 1" in done.stdout
