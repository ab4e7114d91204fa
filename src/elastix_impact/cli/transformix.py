"""`elastix-impact transformix`: exactly transformix's own arguments, files and exit codes.

Arguments are read in pairs; a key given twice counts once; unknown keys are passed over with a warning. Codes: 0 done,
1 any failure, 254 no -out or its folder is missing, 255 no -tp or nothing to do.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from elastix_impact import __version__

from .failures import say, say_warning
from .paired_arguments import ELASTIX_VERSION, PairedArguments, Program, run_with_pairs, thread_count

NOTHING_TO_DO = 255
WORK_KEYS = ("-in", "-def", "-ipp", "-jac", "-jacmat")

HELP = f"""\
transformix version: {ELASTIX_VERSION} (as elastix-impact {__version__} understands it)

Applies a transform that elastix or elastix-impact wrote to images and points.

  --help, -h, -help    this text
  --version            the version
  --extended-version   the versions of what the result depends on

Needed:
  -tp       transform file, with the chain that it names
  -out      output directory; it must exist

At least one of:
  -in       moving image to resample onto the fixed image: result.<format>
  -def      file of fixed points: outputpoints.txt; .vtk mesh: outputpoints.vtk;
            "all": the displacement of every voxel, deformationField.<format>
  -jac      "all": determinant of the spatial Jacobian, spatialJacobian.<format>
  -jacmat   "all": the spatial Jacobian itself, fullSpatialJacobian.<format>

Optional:
  -loglevel off, error, warning or info (default)
  -priority accepted for compatibility, has no effect
  -threads  number of CPU threads

Exit codes: 0 done, 1 failed, 254 no -out or its directory is missing, 255 no -tp or nothing to do.
"""


KEYS = ("-tp", "-out", *WORK_KEYS, "-loglevel", "-priority", "-threads")

PROGRAM = Program("transformix", HELP, KEYS)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """List the command in the help; its arguments never pass through argparse."""
    PROGRAM.add_parser(subparsers)


def run_transformix(words: Sequence[str]) -> int:
    """Do what transformix does with these arguments; returns its exit code."""
    return run_with_pairs(PROGRAM, words, _find_missing, _apply)


def _find_missing(arguments: PairedArguments) -> int:
    code = 0
    if "-tp" not in arguments.values:
        say("no transform file was given. Give one with -tp.")
        code = NOTHING_TO_DO
    if not any(key in arguments.values for key in WORK_KEYS):
        say("there is nothing to do. Give at least one of -in, -def, -jac all, -jacmat all.")
        code = NOTHING_TO_DO
    return code


def _apply(arguments: PairedArguments, words: Sequence[str]) -> int:
    from elastix_impact.applying import transformix
    from elastix_impact.errors import InputError

    values = arguments.values
    if "-def" in values and "-ipp" in values:
        raise InputError("-def and -ipp mean the same", where="command line", remedy="Give -def only")
    points = values.get("-def", values.get("-ipp"))
    case = transformix.TransformixCase(
        transform=Path(values["-tp"]),
        out=Path(values["-out"]),
        image=arguments.path("-in"),
        points=None if points in (None, "all") else Path(points),
        field=points == "all",
        jacobian=_is_all(values, "-jac"),
        jacobian_matrix=_is_all(values, "-jacmat"),
        threads=thread_count(values.get("-threads")),
        log_level=values.get("-loglevel", "info"),
    )
    command = ("elastix-impact", "transformix", *words)
    transformix.run_transformix(case, command=command, log_echo=sys.stdout, on_warning=say_warning)
    return 0


def _is_all(values: dict[str, str], key: str) -> bool:
    """Whether `key` was given as it must be; as in transformix, anything but "all" is not done."""
    word = values.get(key)
    if word not in (None, "all"):
        say_warning(f'{key} {word} is ignored: only "{key} all" is known')
    return word == "all"
