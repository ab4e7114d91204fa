"""`elastix-impact presets`: maps for those who have none."""

import argparse
import sys
from pathlib import Path

from elastix_impact.io.json_text import json_text

DESCRIPTION = (
    "Lists the presets of `register --preset`, or prints the parameter maps of one: for a pair of images with -f and "
    "-m, else for a made-up pair of 240 mm and 1 mm voxels. Save what is printed as one file, change it, and give it "
    "with -p."
)

RECOMMEND = (
    "Names the preset that suits a pair of images, on the first line, and why. The images are laid on each other by a "
    "search of all turns and shifts and their values compared; nothing is registered. Takes about ten seconds."
)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("presets", help="maps for those who have none", description=DESCRIPTION)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="what there is", description="Lists the presets.")
    listing.add_argument("--json", action="store_true", help="print JSON instead of a table")
    listing.set_defaults(run=run_list)
    show = actions.add_parser("show", help="print the maps of a preset", description=DESCRIPTION)
    show.add_argument("name", metavar="NAME", help="one of `presets list`")
    show.add_argument("-f", "--fixed", type=Path, metavar="IMAGE", help="fixed image")
    show.add_argument("-m", "--moving", type=Path, metavar="IMAGE", help="moving image (default: the fixed image)")
    show.add_argument("--to", type=Path, metavar="DIR", help="write the maps there instead")
    show.set_defaults(run=run_show)
    advice = actions.add_parser("recommend", help="the preset for a pair of images", description=RECOMMEND)
    advice.add_argument("-f", "--fixed", type=Path, metavar="IMAGE", required=True, help="fixed image")
    advice.add_argument("-m", "--moving", type=Path, metavar="IMAGE", required=True, help="moving image")
    advice.add_argument("--json", action="store_true", help="print JSON instead of sentences")
    advice.set_defaults(run=run_recommend)


def run_list(arguments: argparse.Namespace) -> int:
    """Print names, purposes and models on stdout; exit code 0."""
    from dataclasses import asdict

    from elastix_impact.parameters.presets import DEFAULT, PRESETS

    if arguments.json:
        sys.stdout.write(json_text([asdict(preset) for preset in PRESETS.values()]))
        return 0
    for preset in PRESETS.values():
        needs = f" (needs {', '.join(preset.models)}: `elastix-impact models download`)" if preset.models else ""
        default = " [default]" if preset.name == DEFAULT else ""
        sys.stdout.write(f"{preset.name:<12}{preset.title}{needs}{default}\n")
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Print the maps on stdout, or write them and print their paths; exit code 0."""
    from elastix_impact.parameters.presets import NOMINAL, preset_texts
    from elastix_impact.runs.presets import facts_of, find_preset, write_preset

    preset = find_preset(arguments.name)
    facts = NOMINAL
    if arguments.fixed is not None:
        facts = facts_of(arguments.fixed, arguments.moving or arguments.fixed)
    if arguments.to is not None:
        read = [path for path in (arguments.fixed, arguments.moving) if path is not None]
        lines = map(str, write_preset(preset, facts, arguments.to, read))
    else:
        lines = (f"// ---- {name}\n{text}" for name, text in preset_texts(preset, facts))
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def run_recommend(arguments: argparse.Namespace) -> int:
    """Print the preset's name, and the reasons below it, on stdout; exit code 0."""
    from elastix_impact.diagnosis.recommend import recommend

    found = recommend(arguments.fixed, arguments.moving)
    lines = (found.preset, *(f"- {reason}" for reason in found.reasons))
    sys.stdout.write(json_text(found.to_json()) if arguments.json else "\n".join(lines) + "\n")
    return 0
