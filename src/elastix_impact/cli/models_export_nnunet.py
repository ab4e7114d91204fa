"""`elastix-impact models export totalsegmentator | mrsegmentator | nnunet`: feature models from trained nnU-Nets."""

import argparse
import re
import sys
from pathlib import Path

from .failures import say_warning
from .model_out import add_model_out, model_path

FAMILIES = {
    "totalsegmentator": (
        "a task of TotalSegmentator",
        "M<task>.pt",
        "canonical",
        "Makes a model from the weights of one TotalSegmentator task (Wasserthal 2023). They are the zip files of "
        "https://github.com/wasserth/TotalSegmentator/releases (v2.0.0-weights and later), or what TotalSegmentator "
        "keeps in ~/.totalsegmentator/nnunet/results: FOLDER is the unpacked Dataset291_TotalSegmentator_... .",
    ),
    "mrsegmentator": (
        "MRSegmentator",
        "MRSeg.pt",
        "lps",
        "Makes a model from the weights of MRSegmentator (Haentze 2024): weights.zip of "
        "https://github.com/hhaentze/MRSegmentator/releases, unpacked into FOLDER.",
    ),
    "nnunet": (
        "any nnU-Net v2",
        "<dataset>.pt",
        "canonical",
        "Makes a model from any trained nnU-Net v2 of one input channel (Isensee 2021): FOLDER is that of the trained "
        "model, nnUNet_results/DatasetXXX_Name/TRAINER__PLANS__CONFIGURATION.",
    ),
}
"""Per family its short help, its usual file, the orientation of its training images, and its description."""


def add_nnunet_families(families: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the families to the parsers of `models export`."""
    for family, (words, usual, orientation, description) in FAMILIES.items():
        parser = families.add_parser(family, help=words, description=description)
        parser.add_argument("folder", type=Path, metavar="FOLDER", help="with plans.json, dataset.json and fold_0")
        add_model_out(parser, usual)
        parser.add_argument("--configuration", metavar="NAME", help="default: the trained one, 3d_fullres if untold")
        parser.add_argument("--fold", metavar="N", help="0, 1, ... or all (default: all if there, else the first)")
        parser.add_argument(
            "--checkpoint", default="checkpoint_final.pth", metavar="NAME", help="default: checkpoint_final.pth"
        )
        parser.add_argument(
            "--layers",
            choices=("published", "all"),
            default="published",
            help="published: encoder, last decoder stage, class probabilities; all: every decoder stage, then logits "
            "(default: published)",
        )
        parser.add_argument(
            "--orientation",
            choices=("canonical", "lps", "as_is"),
            default=orientation,
            help=f"of the training images: canonical = RAS+, as_is = not turned (default: {orientation})",
        )
        parser.set_defaults(run=run_export_nnunet, family=family)


def run_export_nnunet(arguments: argparse.Namespace) -> int:
    """Write the model and print its path on stdout; exit code 0."""
    from elastix_impact.io.collect_warnings import collecting_warnings
    from elastix_impact.zoo.export.nnunet import export_nnunet
    from elastix_impact.zoo.export.nnunet_folder import dataset_name

    name = model_file_name(arguments.family, dataset_name(arguments.folder, arguments.configuration))
    read = [path for path in arguments.folder.rglob("*") if path.is_file()]
    with collecting_warnings([], say_warning):
        path = export_nnunet(
            arguments.folder,
            model_path(arguments.out, name, read),
            configuration=arguments.configuration,
            fold=arguments.fold,
            checkpoint=arguments.checkpoint,
            layers=arguments.layers,
            orientation=arguments.orientation,
        )
    sys.stdout.write(f"{path}\n")
    return 0


def model_file_name(family: str, dataset: str) -> str:
    """How the file of a family is called, e.g. ``"M291.pt"`` for TotalSegmentator's ``"Dataset291_..."``."""
    task = re.match(r"Dataset(\d+)", dataset)
    if family == "totalsegmentator" and task:
        return f"M{int(task[1])}.pt"
    return "MRSeg.pt" if family == "mrsegmentator" else f"{dataset}.pt"
