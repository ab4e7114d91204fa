"""`elastix-impact elastix`: exactly elastix's own arguments and exit codes, for scripts, nipype and Slicer.

Arguments are read in pairs; a key given twice counts once; unknown keys are kept and not refused. Codes: 0 done,
1 any failure, 254 no -out or its folder is missing, 255 no -p.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from elastix_impact import __version__

from .common import exit_code, trusted_models
from .failures import FAILED, exit_codes, say, say_warning

ELASTIX_VERSION = "5.3.1"
"""The elastix whose command line and files these are."""

NO_MAP = 255
NO_OUT = 254

LOG_LEVELS = ("off", "error", "warning", "info")

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

Exit codes: 0 done, 1 failed, 254 no -out or its directory is missing, 255 no -p.
"""

_INDEXED = re.compile(r"-(f|m|fMask|mMask|fp|mp)\d+")


@final
@dataclass
class ElastixArguments:
    """What the command line says: single values by key, and all parameter files in order."""

    values: dict[str, str] = field(default_factory=dict)
    maps: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)

    def path(self, key: str) -> Path | None:
        """The file given for `key`, or None."""
        return Path(self.values[key]) if key in self.values else None


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """List the command in the help; its arguments never pass through argparse."""
    subparsers.add_parser("elastix", help="the command line of elastix itself", add_help=False)


def run_elastix(words: Sequence[str]) -> int:
    """Do what elastix does with these arguments; returns elastix's exit code."""
    if len(words) <= 1:
        sys.stdout.write(information("elastix", HELP, words[0] if words else ""))
        return 0
    arguments = parse_pairs(words)
    code = _missing_parts(arguments)
    if code:
        return code
    with exit_codes(debug=False, bad_input=FAILED) as outcome:
        outcome.code = _register(arguments, words)
    return outcome.code


def information(program: str, help_text: str, word: str) -> str:
    """What `elastix` and `transformix` say when they are called with one word or none."""
    if word in ("--help", "-h", "-help"):
        return help_text
    version = f"{program} version: {ELASTIX_VERSION}\nelastix-impact version: {__version__}\n"
    if word == "--version":
        return version
    if word == "--extended-version":
        from elastix_impact.runs.record import versions

        return version + "".join(f"{name} version: {number}\n" for name, number in versions().items())
    return f'Use "{program} --help" for information about {program}-usage.\n'


def parse_pairs(words: Sequence[str]) -> ElastixArguments:
    """Key and value, key and value; a last key without value is left out."""
    arguments = ElastixArguments()
    for key, value in zip(words[::2], words[1::2]):
        if key == "-p":
            arguments.maps.append(value)
        elif key in arguments.values and key != "-loglevel":
            arguments.repeated.append(f"{key} {value}")
        else:
            arguments.values[key] = value
    return arguments


def check_common(arguments: ElastixArguments) -> int:
    """The exit code for a wrong log level, else 0; warns of keys that were given twice."""
    level = arguments.values.get("-loglevel", "info")
    if level not in LOG_LEVELS:
        say(f'-loglevel: "{level}" is not a log level. Expected: {", ".join(LOG_LEVELS)}.')
        return FAILED
    for pair in arguments.repeated:
        say_warning(f"{pair} is ignored: {pair.split()[0]} was given before")
    return 0


def check_out(arguments: ElastixArguments, program: str, code: int) -> int:
    """The exit code for an output directory that is missing; `code`, that of an earlier fault, if there is one."""
    out = arguments.path("-out")
    if out is None:
        say("no output directory was given. Give one with -out.")
        return NO_OUT
    if not out.is_dir():
        say(f'the output directory "{out}" does not exist. Make it first: {program} never does.')
        return code or NO_OUT
    return code


def _missing_parts(arguments: ElastixArguments) -> int:
    """The exit code for what can be said before the log is open; 0 if nothing is missing."""
    code = check_common(arguments)
    if code:
        return code
    if not arguments.maps:
        say("no parameter file was given. Give one with -p.")
        code = NO_MAP
    return check_out(arguments, "elastix", code)


def _register(arguments: ElastixArguments, words: Sequence[str]) -> int:
    from elastix_impact.errors import InputError
    from elastix_impact.runs.case import Case
    from elastix_impact.runs.run_case import run_case

    indexed = next((key for key in arguments.values if _INDEXED.fullmatch(key)), None)
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
        strict_gpu=True,
        trusted_models=trusted_models(),
        log_level=level,
    )
    record = run_case(case, command=("elastix-impact", "elastix", *words), log_echo=sys.stdout, on_warning=say_warning)
    return exit_code(record)


def thread_count(text: str | None) -> int | None:
    """The number after -threads, None if there is none; raises InputError."""
    from elastix_impact.errors import InputError

    if text is None:
        return None
    if not text.isdigit() or int(text) < 1:
        raise InputError(
            f"-threads {text} is not a whole number above 0", where="command line", remedy="Give e.g. -threads 4"
        )
    return int(text)
