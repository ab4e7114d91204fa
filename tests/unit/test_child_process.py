"""Processes of ours find no code in data folders."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from elastix_impact.child_process import NEUTRAL_FOLDER, PARENT, child_environment, python_command

HOSTILE = "import pathlib; pathlib.Path({mark!r}).touch()\n"


def _names_of_modules(folder: Path) -> Path:
    """Files that stand for modules of Python and of ours; returns the file that they leave when they run."""
    folder.mkdir()
    mark = folder / "mark"
    for name in ("json", "itk", "torch", "elastix_impact", "resource"):
        (folder / f"{name}.py").write_text(HOSTILE.format(mark=str(mark)))
    return mark


@pytest.mark.parametrize("path", ["", os.pathsep, f".{os.pathsep}"])
def test_nothing_in_the_working_folder_is_imported(path: str, tmp_path: Path) -> None:
    mark = _names_of_modules(tmp_path / "data")
    environment = child_environment(os.environ | {"PYTHONPATH": path + os.environ.get("PYTHONPATH", "")})
    done = subprocess.run(
        python_command("elastix_impact.io.itk_elastix_process", "/no/such/request.json"),
        cwd=tmp_path / "data", env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "No such file" in done.stderr
    assert not mark.exists()


def test_the_search_path_keeps_its_meaning_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    entries = os.pathsep.join(["", "src", "/usr/lib/x", ""])
    environment = child_environment({"PYTHONPATH": entries, "A": "b"})
    assert environment["PYTHONPATH"] == f"{tmp_path / 'src'}{os.pathsep}/usr/lib/x"
    assert environment["A"] == "b"
    assert environment[PARENT] == str(os.getpid())
    assert "PYTHONPATH" not in child_environment({"PYTHONPATH": os.pathsep})


def test_a_process_whose_parent_has_gone_already_ends_at_once() -> None:
    code = "import elastix_impact.child_process as c; c.end_with_parent(); print('goes on')"
    for number, said in ((os.getpid(), "goes on\n"), (1, "")):
        done = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {PARENT: str(number)}, cwd=NEUTRAL_FOLDER,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout == said
        assert done.returncode == (0 if said else 1)
