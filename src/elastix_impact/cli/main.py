"""The command `elastix-impact`: picks the sub-command, and turns every failure into one paragraph and an exit code."""

import argparse
import sys
from collections.abc import Sequence

from elastix_impact import __version__

from . import (
    check,
    completion,
    demo,
    doctor,
    elastix,
    evaluate,
    install_commands,
    models,
    presets,
    register,
    report,
    run,
    transform,
    transformix,
)
from .failures import exit_codes, talk_json
from .parser import OptionParser

DESCRIPTION = "Registers medical images by what a pretrained network sees in them, with elastix parameter maps."
EPILOG = (
    "Exit codes: 0 done, 1 registration failed, 2 bad input, 3 out of time (--resume then continues). "
    "`elastix`, `transformix` have elastix's: 0, 1, 254, 255."
)
COMMANDS = (
    run,
    register,
    elastix,
    transform,
    transformix,
    check,
    presets,
    evaluate,
    report,
    models,
    install_commands,
    doctor,
    completion,
    demo,
)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all sub-commands; each sets `run` to the function that does it."""
    parser = OptionParser(prog="elastix-impact", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"elastix-impact {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's) and return its exit code.

    ``--debug`` may stand anywhere but in the arguments of `elastix` and `transformix`, which are elastix's own.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["elastix"]:
        return elastix.run_elastix(words[1:])
    if words[:1] == ["transformix"]:
        return transformix.run_transformix(words[1:])
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    with exit_codes(debug=debug) as outcome:
        parser = build_parser()
        arguments = parser.parse_args(words)
        arguments.parser = parser
        arguments.command_line = ("elastix-impact", *words)
        if getattr(arguments, "progress", None) == "json":
            talk_json()
        outcome.code = arguments.run(arguments)
    return outcome.code
