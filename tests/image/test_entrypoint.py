"""The container's entry point by itself, with a stand-in for the program: homes, the umask, words."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from container import ROOT

pytestmark = pytest.mark.skipif(shutil.which("sh") is None, reason="no sh")

PROGRAM = '#!/bin/sh\necho "$HOME"\numask\nif touch "$HOME/.probe"; then echo writable; fi\necho "$@"\n'


def _run(folder: Path, *words: str, umask: int = 0o022, **home: str) -> list[str]:
    """What the program sees: its home, its umask, whether it can write there, its words."""
    program = folder / "elastix-impact"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(folder)} | home
    done = subprocess.run(
        ["sh", str(ROOT / "docker" / "entrypoint.sh"), *words],
        env=environment, umask=umask, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("home", [{}, {"HOME": ""}, {"HOME": "/proc/nowhere"}])
def test_without_a_home_that_can_be_written_there_is_a_private_one(tmp_path: Path, home: dict[str, str]) -> None:
    folder, _, writable, _ = _run(tmp_path, **home)
    assert Path(folder).parent == tmp_path
    assert Path(folder).stat().st_mode & 0o777 == 0o700
    assert writable == "writable"


def test_a_home_that_is_there_or_can_be_made_is_kept(tmp_path: Path) -> None:
    assert _run(tmp_path, HOME=str(tmp_path / "new"))[0] == str(tmp_path / "new")


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_umask_is_the_callers(tmp_path: Path, umask: int) -> None:
    assert int(_run(tmp_path, umask=umask)[1], 8) == umask


@pytest.mark.parametrize(
    ("words", "passed"),
    [((), "run"), (("--report",), "run --report"), (("doctor",), "doctor"), (("--help",), "--help")],
)
def test_words(tmp_path: Path, words: tuple[str, ...], passed: str) -> None:
    assert _run(tmp_path, *words)[3] == passed
