"""`elastix-impact register`: one pair of images, named on the command line."""

import argparse
from pathlib import Path

from .common import add_run_options, exit_code, run_and_report, trusted_models


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
        required=True,
        action="append",
        metavar="MAP",
        help="parameter map; -p again: next stage",
    )
    add("-o", "--out", type=Path, required=True, metavar="DIR", help="output folder, made if it does not exist")
    add("--fixed-mask", type=Path, metavar="IMAGE", help="where the fixed image counts (not 0)")
    add("--moving-mask", type=Path, metavar="IMAGE", help="where the moving image counts (not 0)")
    add(
        "--fixed-points",
        type=Path,
        metavar="FILE",
        help="landmarks (.txt, .fcsv, .mrk.json, .csv) to measure the error",
    )
    add("--moving-points", type=Path, metavar="FILE", help="the same places in the moving image")
    add(
        "--initial-transform",
        type=Path,
        metavar="FILE",
        help="where to start: elastix (.txt, .toml) or ITK (.tfm, .h5)",
    )
    add("--data", type=Path, metavar="DIR", help="folder that stands for /Data in the map's model paths")
    add_run_options(parser)
    parser.set_defaults(run=run_register)


def run_register(arguments: argparse.Namespace) -> int:
    """Run the case; exit code 0 done, 1 registration failed."""
    from elastix_impact.runs.case import Case

    case = Case(
        fixed=arguments.fixed,
        moving=arguments.moving,
        maps=tuple(arguments.map),
        out=arguments.out,
        fixed_mask=arguments.fixed_mask,
        moving_mask=arguments.moving_mask,
        fixed_points=arguments.fixed_points,
        moving_points=arguments.moving_points,
        initial_transform=arguments.initial_transform,
        device=arguments.device,
        threads=arguments.threads,
        seed=arguments.seed,
        deterministic=arguments.deterministic,
        data_folder=arguments.data,
        trusted_models=trusted_models(arguments),
    )
    return exit_code(run_and_report(case, arguments))
