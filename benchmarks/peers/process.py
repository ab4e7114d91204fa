"""Processes and what they cost, and an environment of its own for each rival."""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints" / "dev.txt"
THREADS = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)  # fmt: skip


class FailedError(Exception):
    """A process or an installation that ended badly; the text is its last word."""


@dataclass(frozen=True)
class Cost:
    """CPU and wall seconds, and the largest resident memory of one process in MiB."""

    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_mib: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        """One after the other."""
        peak = max(self.peak_mib, other.peak_mib)
        return Cost(self.cpu_s + other.cpu_s, self.wall_s + other.wall_s, peak)


def measured(command: list[str], log: Path, threads: int, limit: int) -> Cost:
    """Run a command in a process of its own, in the folder of `log`, where its words go.

    Parameters
    ----------
    command : list of str
    log : Path
        Absolute, as all paths of the command.
    threads : int
        For OpenMP, MKL, OpenBLAS and ITK.
    limit : int
        CPU seconds after which the process is ended.

    Raises
    ------
    FailedError
        If the process ends with an error, a signal, or at the limit.
    """
    environment = os.environ | dict.fromkeys(THREADS, str(threads))
    report = log.with_suffix(".cost.json")
    with log.open("w", encoding="utf-8") as words:
        launcher = [sys.executable, str(Path(__file__).with_name("launch.py")), str(limit), str(report)]
        subprocess.run(
            [*launcher, *command], stdout=words, stderr=subprocess.STDOUT, env=environment, cwd=log.parent, check=True
        )
    found = json.loads(report.read_text(encoding="utf-8"))
    code = found.pop("code")
    if code:
        lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
        last = next((line for line in reversed(lines) if line), "no words")
        raise FailedError(f"exit {code} after {found['cpu_s']:.0f} CPU s: {last[:200]}")
    return Cost(**found)


def python_with(package: str, module: str, folder: Path) -> Path:
    """A Python that has `package`: this one, else that of a virtual environment in `folder`, made if it is absent.

    Raises
    ------
    FailedError
        If pip cannot install the package.
    """
    if importlib.util.find_spec(module):
        return Path(sys.executable)
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "pip.log"
        measured([sys.executable, "-m", "venv", str(folder)], log, threads=1, limit=600)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        measured([*install, "-c", str(CONSTRAINTS), *package.split()], log, threads=1, limit=3600)
        (folder / "complete").touch()
    return python


def version_of(python: Path, package: str) -> str:
    """The version of a package that a Python has."""
    code = f"import importlib.metadata as m; print(m.version({package.split()[0]!r}))"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.strip()
