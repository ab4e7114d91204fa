"""`elastix-impact demo`: makes a phantom pair and MIND models, registers and evaluates them; needs no download."""

import argparse
from pathlib import Path

from .common import add_run_options, exit_code
from .failures import FAILED, say
from .run import run_folder


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("demo", help="register a made-up case", description=__doc__)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("elastix-impact-demo"), metavar="DIR",
        help="where the case and its results go (default: ./elastix-impact-demo)",
    )  # fmt: skip
    add_run_options(parser)
    parser.set_defaults(run=run_demo)


def run_demo(arguments: argparse.Namespace) -> int:
    """Make the case in DIR/Data, register it into DIR/Out; exit code 1 if the landmarks did not come closer."""
    from elastix_impact.phantoms.case import make_demo_case

    data, out = arguments.folder / "Data", arguments.folder / "Out"
    make_demo_case(data)
    record = run_folder(data, out, arguments)
    code = exit_code(record, strict=arguments.strict)
    if code == 0 and record.landmarks["after"].mean >= record.landmarks["before"].mean:
        say(f"the demo's landmarks did not come closer. See {record.out / 'elastix.log'}.")
        return FAILED
    return code
