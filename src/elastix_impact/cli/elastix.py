"""`elastix-impact elastix`: exactly elastix's own arguments and exit codes, for scripts, nipype and Slicer.

Arguments are read in pairs; a key given twice counts once; unknown keys are passed over with a warning. Codes: 0 done,
1 any failure, 254 no -out or its folder is missing, 255 no -p.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from elastix_impact import __version__

from .common import exit_code, model_trial
from .failures import FAILED, say, say_warning
from .paired_arguments import ELASTIX_VERSION, INDEXED, PairedArguments, Program, run_with_pairs, thread_count

NO_MAP = 255

HELP = f"""\
elastix version: {ELASTIX_VERSION} (as elastix-impact {__version__} understands it)

Registers a moving image to a fixed image as parameter files say.

  --help, -h, -help    this text
  --version            the version
  --extended-version   the versions of what the result depends on

Needed:
  -f        fixed image
  -m        moving image
  -out      output directory; it must exist
  -p        parameter file; give -p again for each further stage

Optional:
  -fMask    mask of the fixed image
  -mMask    mask of the moving image
  -fp       points of the fixed image
  -mp       points of the moving image; with both, landmark errors are reported
  -t0       transform file to start from
  -loglevel off, error, warning or info (default)
  -priority accepted for compatibility, has no effect
  -threads  number of CPU threads
  --allow-outside
            let ResultImageName and ImpactFeatureMapOutputDirectory of the parameter file name places outside -out

Exit codes: 0 done, 1 failed, 254 no -out or its directory is missing, 255 no -p.
"""

KEYS = (
    "-f", "-m", "-out", "-p", "-fMask", "-mMask", "-fp", "-mp", "-t0", "-loglevel", "-priority", "-threads",
)  # fmt: skip

ALLOW_OUTSIDE = "--allow-outside"
"""Ours; it stands alone, all others in pairs."""

PROGRAM = Program("elastix", HELP, KEYS)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """List the command in the help; its arguments never pass through argparse."""
    PROGRAM.add_parser(subparsers)


def run_elastix(words: Sequence[str]) -> int:
    """Do what elastix does with these arguments; returns elastix's exit code."""
    allow = ALLOW_OUTSIDE in words
    pairs = [word for word in words if word != ALLOW_OUTSIDE]
    return run_with_pairs(PROGRAM, pairs, _find_missing, partial(_register, allow_outside=allow))


def _find_missing(arguments: PairedArguments) -> int:
    if arguments.maps:
        return 0
    say("no parameter file was given. Give one with -p.")
    return NO_MAP


def _register(arguments: PairedArguments, words: Sequence[str], *, allow_outside: bool) -> int:
    from elastix_impact.errors import InputError
    from elastix_impact.runs.case import Case
    from elastix_impact.runs.run_case import run_case

    indexed = next((key for key in arguments.values if INDEXED.fullmatch(key)), None)
    if indexed is not None:
        raise InputError(
            f"{indexed} is not supported: this version registers one fixed image with one moving image",
            where="command line",
            expected=f"{indexed.rstrip('0123456789')}",
            remedy="Use the C++ elastix for registrations of several images at once",
        )
    fixed, moving, out = (arguments.path(key) for key in ("-f", "-m", "-out"))
    if fixed is None or moving is None or out is None:
        missing, what = ("-f", "fixed") if fixed is None else ("-m", "moving")
        raise InputError(f"no {what} image was given", where="command line", remedy=f"Give one with {missing}")
    level = arguments.values.get("-loglevel", "info")
    case = Case(
        fixed=fixed,
        moving=moving,
        maps=tuple(Path(name) for name in arguments.maps),
        out=out,
        fixed_mask=arguments.path("-fMask"),
        moving_mask=arguments.path("-mMask"),
        fixed_points=arguments.path("-fp"),
        moving_points=arguments.path("-mp"),
        initial_transform=arguments.path("-t0"),
        threads=thread_count(arguments.values.get("-threads")),
        create_out=False,
        allow_outside=allow_outside,
        carry=False,
        strict_gpu=True,
        log_level=level,
    )
    record = run_case(
        case, command=("elastix-impact", "elastix", *words), log_echo=sys.stdout, on_warning=say_warning,
        trial=model_trial(code=FAILED),
    )  # fmt: skip
    return exit_code(record)
