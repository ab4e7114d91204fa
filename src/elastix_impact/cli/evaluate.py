"""`elastix-impact evaluate`: the landmark errors of a transform, before and after."""

import argparse
import sys
from pathlib import Path

from .common import json_text, landmark_table
from .failures import say_warning


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("evaluate", help="landmark errors of a transform", description=__doc__)
    add = parser.add_argument
    add(
        "--transform",
        "-t",
        type=Path,
        required=True,
        metavar="FILE",
        help="elastix (.txt, .toml) or ITK (.tfm, .h5) file",
    )
    add("--fixed-points", type=Path, required=True, metavar="FILE", help="landmarks in the fixed image")
    add("--moving-points", type=Path, required=True, metavar="FILE", help="the same places in the moving image")
    add("--fixed-image", type=Path, metavar="IMAGE", help="needed where landmarks are voxel indices")
    add("--moving-image", type=Path, metavar="IMAGE", help="needed where landmarks are voxel indices")
    add("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run_evaluate)


def run_evaluate(arguments: argparse.Namespace) -> int:
    """Print the table (or JSON) on stdout; exit code 0."""
    from elastix_impact.evaluation.landmarks import landmark_distance, summarise, target_registration_error
    from elastix_impact.io.images import read_image
    from elastix_impact.io.itk_transform import read_initial_transform
    from elastix_impact.io.points import pair_landmarks, read_points
    from elastix_impact.runs.collect_warnings import collecting_warnings

    with collecting_warnings([], say_warning):
        grids = [None if p is None else read_image(p).grid for p in (arguments.fixed_image, arguments.moving_image)]
        transform = read_initial_transform(arguments.transform)
        fixed_points, moving_points = pair_landmarks(
            read_points(arguments.fixed_points, grids[0]), read_points(arguments.moving_points, grids[1])
        )
    rows = {
        "before": summarise(landmark_distance(fixed_points, moving_points)),
        "after": summarise(target_registration_error(transform, fixed_points, moving_points)),
    }
    if arguments.json:
        sys.stdout.write(json_text({"landmarks_mm": {name: row.to_json() for name, row in rows.items()}}))
    else:
        sys.stdout.write(landmark_table(rows) + "\n")
    return 0
