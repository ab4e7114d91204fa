"""elastix itself, through the itk-elastix wheel, in a process of its own: it may crash, and it writes to stdout.

Run as ``python -m elastix_impact.io.itk_elastix REQUEST.json`` by `run_itk_elastix`, with the names of `Request`.
"""

import importlib
import importlib.util
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, final

from elastix_impact.errors import InputError, RegistrationFailedError

LOG_NAME = "elastix.log"


@final
@dataclass(frozen=True, kw_only=True)
class Request:
    """One map to run; files by absolute paths, `output` an existing folder, `folder` where initial transforms lie."""

    parameter_map: str
    fixed: str
    moving: str
    output: str
    folder: str
    fixed_mask: str | None
    moving_mask: str | None
    fixed_points: str | None
    moving_points: str | None
    initial_transform: str | None
    seed: int | None
    threads: int


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


def run_itk_elastix(request: Request) -> str:
    """Run a map and return elastix's log; what it writes lies in `request.output`.

    Raises
    ------
    RegistrationFailedError
        With elastix's last error, if it fails or crashes.
    """
    output = Path(request.output)
    path = output / "request.json"
    path.write_text(json.dumps(asdict(request)), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "elastix_impact.io.itk_elastix", str(path)],
        cwd=request.folder, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False,
    )  # fmt: skip
    log = _text(output / LOG_NAME)
    if done.returncode:
        crashed = f"it crashed (exit code {done.returncode})"
        raise RegistrationFailedError(
            f"itk-elastix failed: {_last_error(log, done.stderr) or crashed}",
            where=request.parameter_map,
            remedy="See elastix.log in the run's folder",
        )
    return log


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _last_error(log: str, stderr: str) -> str:
    """The line of elastix's log or of the error that says most."""
    lines = [line.strip() for line in (stderr + "\n" + log).splitlines() if line.strip()]
    said = [line for line in lines if line.startswith(("ERROR", "Error", "Description:", "itk::ERROR", "ITK ERROR"))]
    return said[-1].removeprefix("Description:").strip() if said else ""


def main(arguments: list[str]) -> int:
    """The process: read the request, run elastix, exit with 0 or 1."""
    itk: Any = importlib.import_module("itk")
    request = Request(**json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    fixed = itk.imread(request.fixed, itk.F)
    parameters = itk.ParameterObject.New()
    parameters.AddParameterFile(request.parameter_map)
    if request.seed is not None:
        parameters.SetParameter("RandomSeed", str(request.seed))
    registration = itk.ElastixRegistrationMethod[type(fixed), type(fixed)].New(
        FixedImage=fixed, MovingImage=itk.imread(request.moving, itk.F), ParameterObject=parameters
    )
    _set_optional(registration, request, itk)
    registration.SetNumberOfThreads(request.threads)
    registration.SetOutputDirectory(request.output)
    registration.SetLogToConsole(False)
    registration.SetLogToFile(True)
    registration.SetLogFileName(LOG_NAME)
    try:
        registration.UpdateLargestPossibleRegion()
        itk.imwrite(registration.GetOutput(), str(Path(request.output) / "warped.mha"))
    except RuntimeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _set_optional(registration: Any, request: Request, itk: Any) -> None:
    if request.fixed_mask is not None:
        registration.SetFixedMask(itk.imread(request.fixed_mask, itk.UC))
    if request.moving_mask is not None:
        registration.SetMovingMask(itk.imread(request.moving_mask, itk.UC))
    if request.fixed_points is not None and request.moving_points is not None:
        registration.SetFixedPointSetFileName(request.fixed_points)
        registration.SetMovingPointSetFileName(request.moving_points)
    if request.initial_transform is not None:
        registration.SetInitialTransformParameterFileName(request.initial_transform)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
