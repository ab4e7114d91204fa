"""`elastix-impact register`: one pair of images, named on the command line."""

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from .common import add_label_names_option, add_run_options, exit_code, run_and_report
from .failures import say_warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from elastix_impact.runs.case import Case
    from elastix_impact.staging.folder import RunFolder


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("register", help="register one pair of images", description=__doc__)
    add = parser.add_argument
    add("-f", "--fixed", type=Path, required=True, metavar="IMAGE", help="fixed image: the one that stays")
    add("-m", "--moving", type=Path, required=True, metavar="IMAGE", help="moving image: the one that is deformed")
    add(
        "-p",
        "--map",
        type=Path,
        action="append",
        metavar="MAP",
        help="parameter map, or what `presets show` printed; -p again: next stage",
    )
    add(
        "--preset",
        metavar="NAME",
        help="maps made for these images instead of -p: rigid, general, mono, ct-ct, ct-cbct, mr-ct (default without "
        "-p: general)",
    )
    add("-o", "--out", type=Path, required=True, metavar="DIR", help="output folder, made if it does not exist")
    add("--fixed-mask", type=Path, metavar="IMAGE", help="where the fixed image counts (not 0)")
    add("--moving-mask", type=Path, metavar="IMAGE", help="where the moving image counts (not 0)")
    add(
        "--fixed-points",
        type=Path,
        metavar="FILE",
        help="landmarks (.txt, .fcsv, .mrk.json, .csv) to measure the error; alone: to be mapped to the moving image",
    )
    add(
        "--moving-points",
        type=Path,
        metavar="FILE",
        help="the same places in the moving image; alone: to be mapped back",
    )
    add("--fixed-labels", type=Path, metavar="IMAGE", help="segmentation of the fixed image, to measure the overlap")
    add(
        "--moving-labels",
        type=Path,
        metavar="IMAGE",
        help="segmentation of the moving image, to be moved onto the fixed one; with --fixed-labels also measured",
    )
    add_label_names_option(add)
    add(
        "--initial-transform",
        type=Path,
        metavar="FILE",
        help="where to start: elastix (.txt, .toml) or ITK (.tfm, .h5)",
    )
    add("--data", type=Path, metavar="DIR", help="folder that stands for /Data in the map's model paths")
    add(
        "--allow-outside", action="store_true",
        help="let values of the map (ResultImageName, ImpactFeatureMapOutputDirectory) name places outside DIR",
    )  # fmt: skip
    add_run_options(parser)
    parser.set_defaults(run=run_register, register_parser=parser)


def run_register(arguments: argparse.Namespace) -> int:
    """Run the case; exit code 0 done, 1 registration failed, or with --strict a bad result."""
    if arguments.map and arguments.preset:
        arguments.register_parser.error("give maps with -p, or a preset, not both")
    if arguments.map:
        record = run_and_report(_case(arguments, tuple(arguments.map)), arguments)
    else:
        with _preset_folder(arguments) as (maps, folder):
            record = run_and_report(_case(arguments, maps), arguments, folder=folder)
    return exit_code(record, strict=arguments.strict)


def _case(arguments: argparse.Namespace, maps: tuple[Path, ...]) -> "Case":
    from elastix_impact.runs.case import Case

    return Case(
        fixed=arguments.fixed,
        moving=arguments.moving,
        maps=maps,
        out=arguments.out,
        fixed_mask=arguments.fixed_mask,
        moving_mask=arguments.moving_mask,
        fixed_points=arguments.fixed_points,
        moving_points=arguments.moving_points,
        fixed_labels=arguments.fixed_labels,
        moving_labels=arguments.moving_labels,
        label_names=arguments.label_names,
        initial_transform=arguments.initial_transform,
        device=arguments.device or (None if arguments.map else "auto"),
        data_folder=arguments.data or (None if arguments.map else _where_models_are()),
        allow_outside=arguments.allow_outside,
    )


@contextlib.contextmanager
def _preset_folder(arguments: argparse.Namespace) -> "Iterator[tuple[tuple[Path, ...], RunFolder]]":
    """The maps of the preset, written into the folder of the run, and that folder."""
    from elastix_impact.parameters.presets import DEFAULT
    from elastix_impact.runs.presets import facts_of, find_preset, write_preset
    from elastix_impact.runs.run_case import work_folder
    from elastix_impact.staging.earlier import PRESET_FOLDER

    preset = find_preset(arguments.preset or DEFAULT)
    if arguments.preset is None:
        say_warning(
            f"no map given: taking the preset {preset.name} ({preset.title}); `elastix-impact presets list` has others"
        )
    facts = facts_of(arguments.fixed, arguments.moving)
    with work_folder(arguments.out, create=True, resume=arguments.resume) as folder:
        yield write_preset(preset, facts, folder.path / PRESET_FOLDER), folder


def _where_models_are() -> Path:
    """The folder that stands for /Data for a preset: ./Data if it is there, else the working directory."""
    data = Path("Data").absolute()
    return data if data.is_dir() else Path.cwd()
