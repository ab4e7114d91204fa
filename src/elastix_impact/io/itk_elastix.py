"""elastix itself, through the itk-elastix wheel, in a process of its own: it may crash, and it can't be interrupted."""

import importlib.util
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import final

from elastix_impact.child_process import NEUTRAL_FOLDER, child_environment, python_command
from elastix_impact.errors import InputError, RegistrationFailedError

from .janitor import ClearedFolder

LOG_NAME = "elastix.log"

_PROCESS = "elastix_impact.io.itk_elastix_process"
_ERROR_NAME = "error.txt"
_SECONDS_BETWEEN_LOOKS = 0.1
_ERROR = re.compile(r"(Description: |ERROR: |ITK ERROR: |itk::ERROR: )+(?P<text>.+)")
_ADDRESS = re.compile(r"\(0x[0-9a-f]+\)")


@final
@dataclass(frozen=True, kw_only=True)
class Request:
    """One map to run; files by absolute paths.

    Attributes
    ----------
    output
        An existing folder, for everything that elastix writes.
    folder
        Where the names in the initial transform's file are looked up.
    parameters
        Values that go before the map's.
    """

    parameter_map: str
    dimension: int
    fixed: str
    moving: str
    output: str
    folder: str
    fixed_mask: str | None
    moving_mask: str | None
    fixed_points: str | None
    moving_points: str | None
    initial_transform: str | None
    threads: int
    parameters: dict[str, str] = field(default_factory=dict)


def itk_elastix_version(where: str, why: str) -> str:
    """The version of the wheel.

    Raises
    ------
    InputError
        If it is not installed; `where` names the map, `why` the components that need it.
    """
    if importlib.util.find_spec("itk") is not None:
        for name in ("itk-elastix", "itk_elastix"):
            try:
                return metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
    raise InputError(
        f"{why} does not run natively, and itk-elastix, which could run the map, is not installed",
        where=where,
        remedy='Install it with pip install "elastix-impact[itk]"',
    )


def run_itk_elastix(request: Request, folder: ClearedFolder, on_log: Callable[[str], None]) -> None:
    """Run a map; what it writes lies in `request.output`, and `on_log` gets the lines of elastix's log as they come.

    `folder` is that one, or above it: if this process is killed, elastix ends too.

    Raises
    ------
    RegistrationFailedError
        With elastix's last error, if it fails or crashes.
    """
    output = Path(request.output)
    path = output / "request.json"
    path.write_text(json.dumps(asdict(request)), encoding="utf-8")
    last_error = ""
    with (
        (output / _ERROR_NAME).open("wb") as errors,
        subprocess.Popen(
            python_command(_PROCESS, str(path)), cwd=NEUTRAL_FOLDER, env=child_environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
        ) as process,
        folder.worked_in_by(process.pid),
    ):  # fmt: skip
        try:
            for line in _lines_while(process, output / LOG_NAME):
                last_error = _error_in(line) or last_error
                on_log(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise RegistrationFailedError(
            f"itk-elastix failed: {last_error or _said(output / _ERROR_NAME) or _ending(process.returncode)}",
            where=request.parameter_map,
            remedy="See elastix.log in the run's folder",
        )


def _lines_while(process: subprocess.Popen[bytes], path: Path) -> Iterator[str]:
    """The whole lines of a growing file, until the process has ended."""
    begun, ended = b"", False
    position = 0
    while not ended:
        try:
            process.wait(_SECONDS_BETWEEN_LOOKS)
            ended = True
        except subprocess.TimeoutExpired:
            pass
        new = _from(path, position)
        position += len(new)
        *lines, begun = (begun + new).split(b"\n")
        yield from (line.decode("utf-8", errors="replace").rstrip() for line in lines)
    if begun:
        yield begun.decode("utf-8", errors="replace").rstrip()


def _from(path: Path, position: int) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        file.seek(position)
        return file.read()


def _error_in(line: str) -> str:
    """What a line of the log says if it is an error, else nothing."""
    match = _ERROR.match(line.strip())
    return _ADDRESS.sub("", match["text"]) if match else ""


def _said(path: Path) -> str:
    """The last error that the process wrote, or its last line."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [said for line in lines if (said := _error_in(line))]
    return (errors or lines or [""])[-1]


def _ending(code: int) -> str:
    return f"it crashed (signal {-code})" if code < 0 else f"it ended with exit code {code}"
