"""`elastix-impact models export sam | dinov2 | anatomix`: feature models from published vision networks."""

import argparse
import sys
from pathlib import Path

from .model_out import add_model_out, model_path

SAM = (
    "Makes a model from the image encoder of SAM 2.1 (Ravi 2025): the ends of its four stages, 2-D, 3 channels. "
    "CHECKPOINT is sam2.1_hiera_tiny.pt and so on, linked from https://github.com/facebookresearch/sam2, or timm's "
    ".safetensors. Needs the extra export."
)
DINOV2 = (
    "Makes a model from DINOv2 (Oquab 2024): the patch tokens of chosen blocks as maps of stride 14, 2-D, 3 channels. "
    "CHECKPOINT is dinov2_vits14_pretrain.pth and so on, also _reg4_, linked from "
    "https://github.com/facebookresearch/dinov2. Needs the extra export."
)
ANATOMIX = (
    "Makes a model from Anatomix (Dey 2025): 16 channels at full resolution, 3-D. CHECKPOINT is model-weights/"
    "anatomix.pth of https://github.com/neel-dey/anatomix."
)


def add_vision_families(families: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the families to the parsers of `models export`."""
    sam = _family(families, "sam", "SAM 2.1's image encoder", SAM, "SAM2.1_Tiny.pt")
    sam.add_argument(
        "--size", choices=("tiny", "small", "base_plus", "large"), default="tiny", help="which encoder (default: tiny)"
    )
    sam.set_defaults(run=run_export_sam)
    dinov2 = _family(families, "dinov2", "DINOv2's patch tokens", DINOV2, "DINOv2_Small.pt")
    dinov2.add_argument(
        "--size", choices=("small", "base", "large", "giant"), default="small", help="which network (default: small)"
    )
    dinov2.add_argument(
        "--layers", type=int, nargs="+", metavar="N", help="blocks, counted from 0 (default: the last alone)"
    )
    dinov2.set_defaults(run=run_export_dinov2)
    anatomix = _family(families, "anatomix", "Anatomix", ANATOMIX, "Anatomix.pt")
    anatomix.set_defaults(run=run_export_anatomix)


def _family(
    families: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, words: str, description: str, usual: str
) -> argparse.ArgumentParser:
    parser = families.add_parser(name, help=words, description=description)
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="the published weights")
    add_model_out(parser, usual)
    return parser


def run_export_sam(arguments: argparse.Namespace) -> int:
    """Write the model and print its path on stdout; exit code 0."""
    from elastix_impact.zoo.export.sam import export_sam

    out = model_path(arguments.out, f"SAM2.1_{_capitalised(arguments.size)}.pt", [arguments.checkpoint])
    return _said(export_sam(arguments.checkpoint, out, size=arguments.size))


def run_export_dinov2(arguments: argparse.Namespace) -> int:
    """Write the model and print its path on stdout; exit code 0."""
    from elastix_impact.zoo.export.dinov2 import export_dinov2

    out = model_path(arguments.out, f"DINOv2_{_capitalised(arguments.size)}.pt", [arguments.checkpoint])
    return _said(export_dinov2(arguments.checkpoint, out, size=arguments.size, layers=arguments.layers))


def run_export_anatomix(arguments: argparse.Namespace) -> int:
    """Write the model and print its path on stdout; exit code 0."""
    from elastix_impact.zoo.export.anatomix import export_anatomix

    out = model_path(arguments.out, "Anatomix.pt", [arguments.checkpoint])
    return _said(export_anatomix(arguments.checkpoint, out))


def _capitalised(size: str) -> str:
    return "_".join(word.capitalize() for word in size.split("_"))


def _said(path: Path) -> int:
    sys.stdout.write(f"{path}\n")
    return 0
