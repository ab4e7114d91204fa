"""What the command lines of `elastix` and `transformix` have in common: pairs of arguments, faults and exit codes."""

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from elastix_impact import __version__

from .failures import FAILED, exit_codes, say, say_warning

ELASTIX_VERSION = "5.3.1"
"""The elastix whose command line and files these are."""

NO_OUT = 254

INDEXED = re.compile(r"-(f|m|fMask|mMask|fp|mp)\d+")
"""Keys of further images, which elastix knows and `elastix_impact` refuses."""

LOG_LEVELS = ("off", "error", "warning", "info")


@final
@dataclass
class PairedArguments:
    """What the command line says: single values by key, all parameter files in order, a last key without value."""

    values: dict[str, str] = field(default_factory=dict)
    maps: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    alone: str | None = None

    def path(self, key: str) -> Path | None:
        """The file given for `key`, or None."""
        return Path(self.values[key]) if key in self.values else None


@final
@dataclass(frozen=True)
class Program:
    """A program of elastix: its name, the text of its --help, and the keys that it knows."""

    name: str
    help: str
    keys: tuple[str, ...]

    def add_parser(self, subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
        """List it in the help of elastix-impact; its arguments never pass through argparse."""
        subparsers.add_parser(self.name, help=f"the command line of {self.name} itself", add_help=False)


def run_with_pairs(
    program: Program,
    words: Sequence[str],
    find_missing: Callable[[PairedArguments], int],
    work: Callable[[PairedArguments, Sequence[str]], int],
) -> int:
    """Do what a program does with these words; returns its exit code.

    `find_missing` says what the program lacks and gives the exit code for it, or 0; `work` gives that of the rest.
    """
    if len(words) <= 1:
        sys.stdout.write(_information(program, words[0] if words else ""))
        return 0
    arguments = parse_pairs(words)
    _tell_unknown(arguments, program)
    code = _check_common(arguments) or _check_out(arguments, program.name, find_missing(arguments))
    if code:
        return code
    with exit_codes(debug=False, bad_input=FAILED) as outcome:
        outcome.code = work(arguments, words)
    return outcome.code


def _information(program: Program, word: str) -> str:
    """What is said when there is one word or none."""
    if word in ("--help", "-h", "-help"):
        return program.help
    version = f"{program.name} version: {ELASTIX_VERSION}\nelastix-impact version: {__version__}\n"
    if word == "--version":
        return version
    if word == "--extended-version":
        from elastix_impact.runs.record import versions

        return version + "".join(f"{name} version: {number}\n" for name, number in versions().items())
    return f'Use "{program.name} --help" for information about {program.name}-usage.\n'


def parse_pairs(words: Sequence[str]) -> PairedArguments:
    """Key and value, key and value; a last key without value is kept apart."""
    arguments = PairedArguments(alone=words[-1] if len(words) % 2 else None)
    for key, value in zip(words[::2], words[1::2]):
        if key == "-p":
            arguments.maps.append(value)
        elif key in arguments.values and key != "-loglevel":
            arguments.repeated.append(f"{key} {value}")
        else:
            arguments.values[key] = value
    return arguments


def _tell_unknown(arguments: PairedArguments, program: Program) -> None:
    """Warn of keys that the program does not know, which it passes over as elastix does, and of one without value."""
    for key, value in arguments.values.items():
        if key not in program.keys and not INDEXED.fullmatch(key):
            say_warning(f"{key} {value} is ignored: {program.name} has no {key}{_nearest(key, program.keys)}")
    if arguments.alone is not None:
        key = arguments.alone
        near = "" if key in program.keys else _nearest(key, program.keys)
        say_warning(f"{key} is ignored: it has no value{near}. Arguments come in pairs")


def _nearest(key: str, known: Sequence[str]) -> str:
    """The known key that is most like another one, case not counted, as words; empty if none is like it."""
    by_plain = {one.lower().lstrip("-"): one for one in known}
    near = difflib.get_close_matches(key.lower().lstrip("-"), by_plain, n=1, cutoff=0.5)
    return f". Did you mean {by_plain[near[0]]}?" if near else f". It knows {', '.join(known)}"


def _check_common(arguments: PairedArguments) -> int:
    """The exit code for a wrong log level, else 0; warns of keys that were given twice."""
    level = arguments.values.get("-loglevel", "info")
    if level not in LOG_LEVELS:
        say(f'-loglevel: "{level}" is not a log level. Expected: {", ".join(LOG_LEVELS)}.')
        return FAILED
    for pair in arguments.repeated:
        say_warning(f"{pair} is ignored: {pair.split()[0]} was given before")
    return 0


def _check_out(arguments: PairedArguments, program: str, code: int) -> int:
    """The exit code for an output directory that is missing; `code`, that of an earlier fault, if there is one."""
    out = arguments.path("-out")
    if out is None:
        say("no output directory was given. Give one with -out.")
        return NO_OUT
    if not out.is_dir():
        say(f'the output directory "{out}" does not exist. Make it first: {program} never does.')
        return code or NO_OUT
    return code


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
