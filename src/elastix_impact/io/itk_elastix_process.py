"""The process that runs elastix for `run_itk_elastix`: its one argument is the file of the request.

Classes are taken from the wheel's extension modules one by one: its front door loads all of ITK first, which takes
several seconds.
"""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from elastix_impact.child_process import end_with_parent
from elastix_impact.io.itk_elastix import LOG_NAME, Request


def main(arguments: list[str]) -> int:
    """Read the request, run elastix, return 0 or 1."""
    request = Request(**json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    registration = _class("itkElastixRegistrationMethod", f"IF{request.dimension}IF{request.dimension}").New()
    try:
        registration.SetFixedImage(_image(request.fixed, f"IF{request.dimension}"))
        registration.SetMovingImage(_image(request.moving, f"IF{request.dimension}"))
        registration.SetParameterObject(_parameters(request))
        _set_optional(registration, request)
        registration.SetNumberOfThreads(request.threads)
        registration.SetOutputDirectory(request.output)
        registration.SetLogToConsole(False)
        registration.SetLogToFile(True)
        registration.SetLogFileName(LOG_NAME)
        os.chdir(request.folder)
        registration.UpdateLargestPossibleRegion()
    except RuntimeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _class(name: str, kinds: str = "") -> Any:
    """A class of the wheel; `kinds` is the suffix for its image types, e.g. ``"IF3"`` for float volumes."""
    return getattr(importlib.import_module(f"itk.{name}Python"), name + kinds)


def _image(path: str, kinds: str) -> Any:
    reader = _class("itkImageFileReader", kinds).New()
    reader.SetImageIO(_class("itkMetaImageIO").New())
    reader.SetFileName(path)
    reader.Update()
    return reader.GetOutput()


def _parameters(request: Request) -> Any:
    parameters = importlib.import_module("itk.elxParameterObjectPython").elastixParameterObject.New()
    parameters.AddParameterFile(request.parameter_map)
    for name, value in request.parameters.items():
        parameters.SetParameter(name, value)
    return parameters


def _set_optional(registration: Any, request: Request) -> None:
    mask_kinds = f"IUC{request.dimension}"
    if request.fixed_mask is not None:
        registration.SetFixedMask(_image(request.fixed_mask, mask_kinds))
    if request.moving_mask is not None:
        registration.SetMovingMask(_image(request.moving_mask, mask_kinds))
    if request.fixed_points is not None and request.moving_points is not None:
        registration.SetFixedPointSetFileName(request.fixed_points)
        registration.SetMovingPointSetFileName(request.moving_points)
    if request.initial_transform is not None:
        registration.SetInitialTransformParameterFileName(request.initial_transform)


if __name__ == "__main__":
    end_with_parent()
    sys.exit(main(sys.argv[1:]))
