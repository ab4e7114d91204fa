"""`elastix-impact check`: every fault and hint of parameter maps, and what they amount to; no image, no torch."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elastix_impact.io.json_text import json_text

from .check_plan import add_plan_options, plan_json, plan_of, plan_text, refuse_what_cannot_fit
from .check_text import effective_table, explanation, level_table, unknown_name
from .common import add_model_limits, add_trust_option, model_limits, trusted_models
from .failures import BAD_INPUT

if TYPE_CHECKING:
    from elastix_impact.parameters.raw import RawParameterMap
    from elastix_impact.parameters.resolve import Resolution

DESCRIPTION = """\
Prints every error, warning and hint of parameter maps with file and line, and a table of their levels.
Reads no image, and opens models only with --models or --plan. Exit code 0 if no map has an error, else 2."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("check", help="find the faults of parameter maps", description=DESCRIPTION)
    parser.add_argument("maps", nargs="*", type=Path, metavar="MAP", help="parameter maps, .txt or .toml")
    parser.add_argument("--explain", metavar="NAME", help="say what a parameter means, and stop")
    parser.add_argument(
        "--effective", action="store_true", help="print every value that a run would use, and its origin"
    )
    parser.add_argument(
        "--models", action="store_true", help="also open the models that the maps name, and try them out"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder that stands for /Data in model paths")
    add_trust_option(parser)
    add_model_limits(parser)
    add_plan_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.set_defaults(run=run_check, check_parser=parser)


def run_check(arguments: argparse.Namespace) -> int:
    """Print the findings on stdout; exit code 0, or 2 if a map has an error or the name to explain is unknown."""
    if arguments.explain is not None:
        return _explain(arguments.explain)
    if not arguments.maps:
        arguments.check_parser.error("name at least one parameter map, or a parameter with --explain")
    if arguments.plan and not (arguments.fixed and arguments.moving):
        arguments.check_parser.error("--plan needs the images: -f and -m")
    findings = [(str(path), one) for path in dict.fromkeys(arguments.maps) for one in _check(path, arguments)]
    faulty = any(_faulty(one) for _, one in findings)
    made = plan_of(arguments) if arguments.plan and not faulty else None
    if arguments.json:
        maps = [_as_json(name, one, arguments.effective) for name, one in findings]
        sys.stdout.write(json_text(maps if made is None else {"maps": maps, **plan_json(*made)}))
    else:
        texts = [_as_text(name, one, arguments.effective) for name, one in findings]
        sys.stdout.write("\n\n".join(texts if made is None else [*texts, plan_text(*made)]) + "\n")
    if made is not None:
        refuse_what_cannot_fit(*made)
    return BAD_INPUT if faulty else 0


def _explain(name: str) -> int:
    text = explanation(name)
    sys.stdout.write((text or unknown_name(name)) + "\n")
    return BAD_INPUT if text is None else 0


def _check(path: Path, arguments: argparse.Namespace) -> "list[Resolution]":
    """What the maps of a file resolve to; a file that holds no map at all is one error."""
    from elastix_impact.errors import InputError
    from elastix_impact.parameters.problems import Problem
    from elastix_impact.parameters.resolve import Resolution, resolve
    from elastix_impact.parameters.text import read_parameter_maps

    try:
        resolutions = [(raw, resolve(raw)) for raw in read_parameter_maps(path)]
    except InputError as error:
        found = tuple(one for one in getattr(error, "problems", ()) if isinstance(one, Problem))
        remedy = ". ".join(part for part in (error.expected, error.remedy) if part)
        return [Resolution(None, found or (Problem("error", str(path), 0, "", error.what, remedy),))]
    return [_with_models(*one, arguments) if arguments.models else one[1] for one in resolutions]


def _with_models(raw: "RawParameterMap", resolution: "Resolution", arguments: argparse.Namespace) -> "Resolution":
    """The resolution with what speaks against the models of its plan."""
    from dataclasses import replace

    from elastix_impact.diagnosis.check_models import check_models
    from elastix_impact.zoo.trust import trusting

    if resolution.plan is None:
        return resolution
    with trusting(trusted_models(arguments)):
        found = check_models(raw, resolution.plan, data_folder=arguments.data, limits=model_limits(arguments))
    return replace(resolution, problems=(*resolution.problems, *found))


def _faulty(resolution: "Resolution") -> bool:
    return any(problem.severity == "error" for problem in resolution.problems)


def _as_text(name: str, resolution: "Resolution", effective: bool) -> str:
    """Problems, a sentence, and the tables of a map, without the last line end."""
    from elastix_impact.parameters.problems import counted

    parts = ["\n".join(f"{problem.severity}: {problem}" for problem in resolution.problems)]
    if resolution.plan is not None:
        parts.append(level_table(resolution.plan))
    elif resolution.handed_on is not None:
        parts.append(f"{name}: handed on to itk-elastix because of {', '.join(resolution.handed_on.components)}")
    else:
        count = sum(problem.severity == "error" for problem in resolution.problems)
        parts.append(f"{name}: {counted(count, 'error')}; the map can't be run")
    if effective and resolution.effective:
        parts.append(effective_table(resolution.effective))
    return "\n\n".join(part for part in parts if part)


def _as_json(name: str, resolution: "Resolution", effective: bool) -> dict[str, Any]:
    return {
        "map": name,
        "ok": not _faulty(resolution),
        "problems": [asdict(problem) for problem in resolution.problems],
        "native": resolution.plan is not None,
        "plan": None if resolution.stage is None else resolution.stage.to_json(),
    } | ({"effective": [asdict(value) for value in resolution.effective]} if effective else {})
