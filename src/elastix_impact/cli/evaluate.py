"""`elastix-impact evaluate`: how good a transform is, before and after."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from elastix_impact.io.json_text import json_text

from .common import add_label_names_option
from .failures import say_warning

if TYPE_CHECKING:
    from elastix_impact.evaluation.summary import EvaluationSummary
    from elastix_impact.geometry.grid import Grid
    from elastix_impact.geometry.image import Image
    from elastix_impact.io.read_transform import StoredTransform
    from elastix_impact.judging.evaluate import Judged

DESCRIPTION = """\
Measures a transform by what is given: landmarks (TRE), segmentations (Dice, HD95, ASSD), images (correlation, mutual
information), and, where a fixed image or segmentation is given, its Jacobian determinant. docs/evaluation.md defines
every measure. `run` and `register` do the same by themselves with what they are given."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("evaluate", help="errors and overlap of a transform", description=DESCRIPTION)
    add = parser.add_argument
    add(
        "--transform",
        "-t",
        type=Path,
        required=True,
        metavar="FILE",
        help="elastix (.txt, .toml) or ITK (.tfm, .h5) file",
    )
    add("--fixed-image", "-f", type=Path, metavar="IMAGE", help="needed where landmarks are voxel indices too")
    add("--moving-image", "-m", type=Path, metavar="IMAGE", help="needed where landmarks are voxel indices too")
    add("--fixed-mask", type=Path, metavar="IMAGE", help="where transform and intensities count (not 0)")
    add("--fixed-points", type=Path, metavar="FILE", help="landmarks in the fixed image")
    add("--moving-points", type=Path, metavar="FILE", help="the same places in the moving image")
    add("--fixed-labels", type=Path, metavar="IMAGE", help="segmentation of the fixed image")
    add("--moving-labels", type=Path, metavar="IMAGE", help="the same structures in the moving image")
    add_label_names_option(add)
    add("--inverse-consistency", action="store_true", help="how far the transform's inverse leads back, in mm")
    add(
        "--inverse-transform",
        type=Path,
        metavar="FILE",
        help="transform of the registration in the other direction, for the inverse consistency",
    )
    add("--learn2reg", action="store_true", help="also measure exactly as the Learn2Reg challenge does")
    add("--learn2reg-field", type=Path, metavar="FILE", help="write the field it wants: disp_XXXX_YYYY.nii.gz")
    add("--out", "-o", type=Path, metavar="DIR", help="write evaluation.json, landmarks.csv and labels.csv there")
    add("--json", action="store_true", help="print JSON instead of tables")
    parser.set_defaults(run=run_evaluate, evaluate_parser=parser)


def run_evaluate(arguments: argparse.Namespace) -> int:
    """Print the tables (or JSON) on stdout; exit code 0."""
    _check_pairs(arguments)
    _keep_inputs(arguments)
    from elastix_impact.io.collect_warnings import collecting_warnings
    from elastix_impact.io.read_transform import read_transform
    from elastix_impact.judging.evaluate import evaluate
    from elastix_impact.judging.text import evaluation_text

    with collecting_warnings([], say_warning):
        inverse = None if arguments.inverse_transform is None else read_transform(arguments.inverse_transform)
        judged = _judged(arguments, read_transform(arguments.transform))
        back = None if inverse is None else inverse.in_world(_first_grid(judged.fixed, judged.labels, 0))
        wanted = arguments.inverse_consistency or back is not None
        summary = evaluate(judged, consistency=wanted, back=back)
        challenge = _learn2reg(arguments, judged)
    content = summary.to_json() | ({"learn2reg": challenge} if challenge else {})
    if arguments.out is not None:
        _write(arguments.out, summary, content)
    if arguments.json:
        sys.stdout.write(json_text(content))
    else:
        sys.stdout.write(f"{evaluation_text(summary, every_label=True)}\n{_challenge_text(challenge)}")
    return 0


def _check_pairs(arguments: argparse.Namespace) -> None:
    """Refuse halves of pairs, and a call that can measure nothing."""
    parser: argparse.ArgumentParser = arguments.evaluate_parser
    for what in ("points", "labels"):
        if (getattr(arguments, f"fixed_{what}") is None) != (getattr(arguments, f"moving_{what}") is None):
            parser.error(f"--fixed-{what} and --moving-{what} go together")
    if all(getattr(arguments, f"fixed_{what}") is None for what in ("points", "labels", "image")):
        parser.error("nothing to measure by: give landmarks, labels or images")
    if arguments.label_names is not None and arguments.fixed_labels is None:
        parser.error("--label-names is for --fixed-labels and --moving-labels")


def _keep_inputs(arguments: argparse.Namespace) -> None:
    """Refuse results in the places of files that are measured; raises OutputError."""
    from elastix_impact.io.input_files import refuse_overwriting
    from elastix_impact.judging.files import RESULT_NAMES

    pairs = (f"{side}_{what}" for side in ("fixed", "moving") for what in ("image", "points", "labels"))
    roles = ("transform", "inverse_transform", "fixed_mask", "label_names", *pairs)
    read = [path for role in roles if (path := getattr(arguments, role)) is not None]
    written = [] if arguments.out is None else [arguments.out / name for name in RESULT_NAMES]
    refuse_overwriting([*written, *([arguments.learn2reg_field] if arguments.learn2reg_field else [])], read)


def _judged(arguments: argparse.Namespace, stored: "StoredTransform") -> "Judged":
    from elastix_impact.io.images import read_image
    from elastix_impact.io.label_names import label_names
    from elastix_impact.io.masks import read_mask
    from elastix_impact.io.pairs import check_pair
    from elastix_impact.io.points import read_landmark_pair
    from elastix_impact.io.segmentations import read_label_pair
    from elastix_impact.judging.evaluate import Judged

    fixed, moving = (None if p is None else read_image(p) for p in (arguments.fixed_image, arguments.moving_image))
    if fixed is not None and moving is not None:
        check_pair(fixed, moving)
    labels = arguments.fixed_labels and read_label_pair(arguments.fixed_labels, arguments.moving_labels)
    grid, moving_grid = _first_grid(fixed, labels, 0), _first_grid(moving, labels, 1)
    landmarks, names = None, ()
    if arguments.fixed_points is not None:
        landmarks, names = read_landmark_pair(arguments.fixed_points, arguments.moving_points, grid, moving_grid)
    mask = None if arguments.fixed_mask is None or grid is None else read_mask(arguments.fixed_mask, grid)
    transform = stored.in_world(moving_grid)
    called = label_names(arguments.label_names, arguments.fixed_labels, arguments.moving_labels)
    return Judged(
        transform, fixed=fixed, moving=moving, fixed_mask=mask, landmarks=landmarks, names=names, labels=labels,
        label_names=called,
    )  # fmt: skip


def _first_grid(image: "Image | None", labels: "tuple[Image, Image] | None", side: int) -> "Grid | None":
    """The grid of the fixed (0) or moving (1) side: the image's, else its labels'."""
    return image.grid if image is not None else labels[side].grid if labels else None


def _learn2reg(arguments: argparse.Namespace, judged: "Judged") -> dict[str, object]:
    """The challenge's measures, if wanted; its field is written, if wanted."""
    if not arguments.learn2reg and arguments.learn2reg_field is None:
        return {}
    from elastix_impact.io.learn2reg_field import write_learn2reg_field
    from elastix_impact.judging.learn2reg import learn2reg_displacement, learn2reg_measures

    fixed, moving = _grids(arguments, judged)
    assert judged.transform is not None
    displacement = learn2reg_displacement(judged.transform, fixed, moving)
    found = learn2reg_measures(judged, displacement, fixed, moving) if arguments.learn2reg else {}
    if arguments.learn2reg_field is not None:
        write_learn2reg_field(arguments.learn2reg_field, displacement, fixed)
    return found


def _grids(arguments: argparse.Namespace, judged: "Judged") -> tuple["Grid", "Grid"]:
    if judged.fixed is not None and judged.moving is not None:
        return judged.fixed.grid, judged.moving.grid
    parser: argparse.ArgumentParser = arguments.evaluate_parser
    if judged.labels is None:
        parser.error("--learn2reg needs both images, or both segmentations")
    return judged.labels[0].grid, judged.labels[1].grid


def _challenge_text(challenge: dict[str, object]) -> str:
    rows = [f"  {name}: {value['mean']}" for name, value in challenge.items() if isinstance(value, dict)]
    return "\n".join(["", "Learn2Reg's measures", *rows, ""]) if rows else ""


def _write(folder: Path, summary: "EvaluationSummary", content: Mapping[str, object]) -> None:
    from elastix_impact.judging.files import FILE_NAME, evaluation_files
    from elastix_impact.staging.folder import RunFolder

    out = RunFolder.open(folder, create=True)
    for name, text in (evaluation_files(summary) | {FILE_NAME: json_text(content)}).items():
        out.write_text(name, text)
