"""`elastix-impact models export`: a model file from code, or from a network's public weights."""

import argparse
import sys

from .common import positive
from .model_out import add_model_out, model_path
from .models_export_nnunet import add_nnunet_families
from .models_export_vision import add_vision_families

DESCRIPTION = "Makes a TorchScript model from code (MIND), or from the weights that a network's authors published."


def add_action(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the action with its families."""
    export = actions.add_parser("export", help="make a model file", description=DESCRIPTION)
    families = export.add_subparsers(title="families", metavar="FAMILY", required=True)
    mind = families.add_parser(
        "mind", help="MIND-SSC descriptor", description="Makes a MIND-SSC model (Heinrich 2013)."
    )
    mind.add_argument("--radius", type=positive, choices=(1, 2), default=1, help="patch radius in voxels (default: 1)")
    mind.add_argument(
        "--dilation", type=positive, choices=(1, 2), default=2, help="distance of neighbours in voxels (default: 2)"
    )
    mind.add_argument("--dim", type=positive, choices=(2, 3), default=3, help="dimension (default: 3)")
    add_model_out(mind, "R1D2_3D.pt")
    mind.set_defaults(run=run_export_mind)
    add_nnunet_families(families)
    add_vision_families(families)


def run_export_mind(arguments: argparse.Namespace) -> int:
    """Write the model and print its path on stdout; exit code 0."""
    from elastix_impact.zoo.export.mind import export_mind, mind_file_name

    name = mind_file_name(arguments.radius, arguments.dilation, arguments.dim)
    path = export_mind(model_path(arguments.out, name), arguments.radius, arguments.dilation, arguments.dim)
    sys.stdout.write(f"{path}\n")
    return 0
