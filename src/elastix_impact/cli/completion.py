"""`elastix-impact completion`: what makes the Tab key complete commands, options and files."""

import argparse
import sys

SHELLS = ("bash", "zsh", "tcsh", "fish")

DESCRIPTION = """\
Prints a script for your shell. bash: eval "$(elastix-impact completion bash)" in ~/.bashrc. zsh: write it as
_elastix-impact into a folder of $fpath. fish: write it to ~/.config/fish/completions/elastix-impact.fish."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("completion", help="a script for the Tab key", description=DESCRIPTION)
    parser.add_argument("shell", choices=SHELLS, help="your shell")
    parser.set_defaults(run=run_completion)


def run_completion(arguments: argparse.Namespace) -> int:
    """Print the script on stdout; exit code 0."""
    import shtab

    parser: argparse.ArgumentParser = arguments.parser
    _complete_files(parser, shtab.FILE, shtab.DIRECTORY)
    sys.stdout.write(shtab.complete(parser, shell=arguments.shell))
    return 0


def _complete_files(parser: argparse.ArgumentParser, files: object, folders: object) -> None:
    """Let arguments that are files or folders complete to those."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in set(action.choices.values()):
                _complete_files(child, files, folders)
        elif action.metavar == "DIR":
            action.complete = folders  # pyright: ignore[reportAttributeAccessIssue]
        elif action.metavar in ("FILE", "IMAGE", "MAP", "CHECKPOINT", "FOLDER"):
            action.complete = folders if action.metavar == "FOLDER" else files  # pyright: ignore[reportAttributeAccessIssue]
