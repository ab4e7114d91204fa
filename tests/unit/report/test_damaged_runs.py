"""Files of a run that were damaged since: the report names them, whatever they hold."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from elastix_impact.cli.main import main
from small_case import write_small_case, write_small_labels


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = write_small_case(tmp_path_factory.mktemp("run") / "Data")
    write_small_labels(data)
    text = (data / "ParameterMap.txt").read_text().replace("Iterations 40", "Iterations 2")
    (data / "ParameterMap.txt").write_text(text)
    assert main(["run", "--data", str(data), "--out", str(data.parent / "Out"), "--quiet", "--device", "cpu"]) == 0
    return data.parent / "Out"


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "another type": lambda content: b"[1, 2]",
    "no text": lambda content: bytes(range(128, 256)),
    "other values": lambda content: json.dumps(
        dict.fromkeys(["inputs", "labels", "intensity", "transform"], 5)
    ).encode(),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["evaluation.json", "registration.json"])
def test_a_damaged_record_is_named(run: Path, tmp_path: Path, name: str, damage: str, capsys) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "Out"))
    (folder / name).write_bytes(DAMAGES[damage]((folder / name).read_bytes()))
    assert main(["report", str(folder)]) == 2
    said = capsys.readouterr().err
    assert str(folder) in said
    assert "fault of elastix-impact" not in said


@pytest.mark.parametrize("name", ["landmarks.csv", "IterationInfo.0.R0.txt"])
@pytest.mark.parametrize("damage", ["empty", "no text"])
def test_a_damaged_table_is_named_or_its_rows_are_missed(
    run: Path, tmp_path: Path, name: str, damage: str, capsys
) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "Out"))
    (folder / name).write_bytes(DAMAGES[damage]((folder / name).read_bytes()))
    code = main(["report", str(folder)])
    if code == 0:
        assert "landmarks.csv holds 0 of the 20 landmarks" in (folder / "report.html").read_text(encoding="utf-8")
    else:
        assert code == 2
        assert name in capsys.readouterr().err


def test_lost_landmarks_are_told(run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "Out"))
    lines = (folder / "landmarks.csv").read_text().splitlines(keepends=True)
    (folder / "landmarks.csv").write_text("".join(lines[:9]))
    assert main(["report", str(folder)]) == 0
    assert "landmarks.csv holds 8 of the 20 landmarks" in (folder / "report.html").read_text(encoding="utf-8")
