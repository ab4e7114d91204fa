"""`elastix-impact install-commands`: `elastix` and `transformix` that are ours, for programs that call them."""

import argparse
import os
import shlex
import sys
from pathlib import Path

PROGRAMS = ("elastix", "transformix")
_MARK = "made by elastix-impact install-commands"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "install-commands",
        help="put commands named elastix and transformix into a folder",
        description="Writes elastix and transformix into DIR. Put DIR first on the PATH: nipype and your scripts run "
        "elastix-impact unchanged.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="made if it does not exist")
    parser.set_defaults(run=run_install_commands)


def run_install_commands(arguments: argparse.Namespace) -> int:
    """Write the commands; exit code 0."""
    for path in install_commands(arguments.folder, windows=os.name == "nt"):
        sys.stdout.write(f"{path}\n")
    return 0


def install_commands(folder: Path, *, windows: bool) -> list[Path]:
    """Write the commands into `folder`, each whole or not at all; returns their paths.

    Raises
    ------
    OutputError
        If something else has one of the names there, or the folder can't be written.
    """
    from elastix_impact.errors import OutputError
    from elastix_impact.io.atomic import output_errors, written_whole

    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / (f"{program}.cmd" if windows else program) for program in PROGRAMS]
    for path in paths:
        if path.exists() and not _is_ours(path):
            raise OutputError("something else has this name", where=str(path), remedy="Give another folder")
    for path, program in zip(paths, PROGRAMS):
        with written_whole(path) as temporary:
            temporary.write_text(_script(program, windows=windows), encoding="utf-8", newline="")
            temporary.chmod(0o755)
    return paths


def _is_ours(path: Path) -> bool:
    return path.is_file() and _MARK in path.read_bytes()[:1000].decode("utf-8", errors="replace")


def _script(program: str, *, windows: bool) -> str:
    """The text of a command; -P keeps what lies in the working folder from being imported."""
    if windows:
        return f'@rem {_MARK}\r\n@"{sys.executable}" -P -m elastix_impact {program} %*\r\n'
    return f'#!/bin/sh\n# {_MARK}\nexec {shlex.quote(sys.executable)} -P -m elastix_impact {program} "$@"\n'
