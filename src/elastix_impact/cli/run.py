"""`elastix-impact run`: the container's folder contract."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .common import add_label_names_option, add_run_options, exit_code, run_and_report
from .failures import say_warning

if TYPE_CHECKING:
    from elastix_impact.runs.record import RunRecord

DESCRIPTION = """\
Registers the case in one folder. Looks there for FixedImage or Fixed_image and MovingImage or Moving_image
(.mha, .mhd, .nii.gz, .nii, .nrrd or a DICOM folder), ParameterMap.txt (further stages: ParameterMap.1.txt ...), and, if
present, Fixed_mask, Moving_mask; Fixed_landmarks and Moving_landmarks (.txt, .fcsv, .mrk.json), Fixed_labels and
Moving_labels (images) to judge the result by, Label_names (.json, .txt, .ctbl, .label, .csv). Moving labels, and
landmarks of one image alone, are carried to the other image."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser("run", help="register the case in one folder", description=DESCRIPTION)
    parser.add_argument("--data", type=Path, default=Path("/Data"), metavar="DIR", help="input folder (default: /Data)")
    parser.add_argument("--out", type=Path, default=Path("/Out"), metavar="DIR", help="output folder (default: /Out)")
    add_label_names_option(parser.add_argument)
    add_run_options(parser)
    parser.set_defaults(run=run_run)


def run_run(arguments: argparse.Namespace) -> int:
    """Find the inputs and run the case; exit code 0 done, 1 registration failed, or with --strict a bad result."""
    record = run_folder(arguments.data, arguments.out, arguments, arguments.label_names)
    return exit_code(record, strict=arguments.strict)


def run_folder(data: Path, out: Path, arguments: argparse.Namespace, label_names: Path | None = None) -> "RunRecord":
    """Run the case in the folder `data`, as the folder contract says, into `out`; `label_names` replaces its own."""
    from elastix_impact.io.collect_warnings import collecting_warnings
    from elastix_impact.io.find_inputs import find_inputs
    from elastix_impact.runs.case import Case

    warned: list[str] = []
    with collecting_warnings(warned, say_warning):
        found = find_inputs(data)
    case = Case(
        fixed=found.fixed,
        moving=found.moving,
        maps=found.maps,
        out=out,
        fixed_mask=found.fixed_mask,
        moving_mask=found.moving_mask,
        fixed_points=found.fixed_points,
        moving_points=found.moving_points,
        fixed_labels=found.fixed_labels,
        moving_labels=found.moving_labels,
        label_names=label_names or found.label_names,
        device=arguments.device,
        data_folder=data,
    )
    return run_and_report(case, arguments, warned)
