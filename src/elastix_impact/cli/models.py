"""`elastix-impact models`: get or make feature models, and look into model files."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .common import json_text, positive
from .failures import say_warning
from .models_fetch import add_actions

if TYPE_CHECKING:
    from elastix_impact.zoo.inspect import LayerGeometry, ModelReport

WHAT_LOADING_MEANS = (
    "a TorchScript file is a program: loading it runs code from the file in this process. "
    "Use files whose source you trust"
)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    words = "list, download, make and inspect feature models"
    parser = subparsers.add_parser("models", help=words, description=__doc__)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    add_actions(actions)
    _add_export(actions)
    inspect = actions.add_parser("inspect", help="what a model file takes and gives", description=_INSPECT)
    inspect.add_argument("files", nargs="+", type=Path, metavar="FILE", help="TorchScript files (.pt)")
    inspect.add_argument("--json", action="store_true", help="print JSON instead of a table")
    inspect.set_defaults(run=run_inspect)


_INSPECT = (
    "Runs each model on small random images and prints its inputs, and per layer the channels, the stride, "
    "the receptive field and the offset of its centre, in input voxels, x y z."
)


def _add_export(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    export = actions.add_parser("export", help="make a model file from code", description="Makes a model file.")
    families = export.add_subparsers(title="families", metavar="FAMILY", required=True)
    mind = families.add_parser(
        "mind", help="MIND-SSC descriptor", description="Makes a MIND-SSC model (Heinrich 2013)."
    )
    mind.add_argument("--radius", type=positive, choices=(1, 2), default=1, help="patch radius in voxels (default: 1)")
    mind.add_argument(
        "--dilation", type=positive, choices=(1, 2), default=2, help="distance of neighbours in voxels (default: 2)"
    )
    mind.add_argument("--dim", type=positive, choices=(2, 3), default=3, help="dimension (default: 3)")
    mind.add_argument("--out", type=Path, metavar="FILE", help="file or folder to write (default: ./R1D2_3D.pt)")
    mind.set_defaults(run=run_export_mind)


def run_export_mind(arguments: argparse.Namespace) -> int:
    """Write the model and print its path on stdout; exit code 0."""
    from elastix_impact.zoo.export.mind import export_mind, mind_file_name

    name = mind_file_name(arguments.radius, arguments.dilation, arguments.dim)
    out: Path = arguments.out or Path(name)
    if out.is_dir() or not out.suffix:
        out = out / name
    path = export_mind(out, arguments.radius, arguments.dilation, arguments.dim)
    sys.stdout.write(f"{path}\n")
    return 0


def run_inspect(arguments: argparse.Namespace) -> int:
    """Print a table per file (or JSON) on stdout; exit code 0."""
    from dataclasses import asdict

    from elastix_impact.zoo.inspect import inspect_model

    say_warning(WHAT_LOADING_MEANS)
    reports = [inspect_model(path) for path in arguments.files]
    if arguments.json:
        sys.stdout.write(json_text([asdict(report) for report in reports]))
    else:
        sys.stdout.write("\n\n".join(report_text(report) for report in reports) + "\n")
    return 0


def report_text(report: "ModelReport") -> str:
    """A report as plain text, without the last line end."""
    inputs = ("x", "nb_layers", "stats", "direction")[: report.number_of_inputs]
    megabytes = report.file_size / 1e6
    facts = {
        "file": f"{megabytes:.2f} MB, sha256 {report.sha256}",
        "made by": f"torch.jit.{report.kind}",
        "parameters": f"{report.number_of_parameters:,}",
        "forward": f"({', '.join(inputs)})",
        "input": f"{report.dimension}-D, {report.channels} channel{'s' if report.channels > 1 else ''}",
        "differentiable": "yes" if report.differentiable else "no: usable in Static mode only",
        "deterministic": "yes" if report.deterministic else "no: two runs differ",
    }
    lines = [report.path, *(f"  {name:<16}{text}" for name, text in facts.items()), ""]
    lines += [_row("layer", "channels", "stride", "field", "offset", "")]
    lines += [_layer_row(number, layer) for number, layer in enumerate(report.layers)]
    return "\n".join(line.rstrip() for line in lines)


def _layer_row(number: int, layer: "LayerGeometry") -> str:
    if layer.fixed_size is not None:
        size = "x".join(map(str, layer.fixed_size))
        return _row(str(number), str(layer.channels), "-", "all", "-", f"always {size} voxels")
    notes = [
        *(["sees the whole image through its statistics"] if layer.global_context else []),
        *([] if layer.measured else ["offset assumed"]),
    ]
    stride, field, offset = (
        " ".join(f"{value:g}" for value in values) for values in (layer.stride, layer.receptive_field, layer.offset)
    )
    return _row(str(number), str(layer.channels), stride, field, offset, ", ".join(notes))


def _row(layer: str, channels: str, stride: str, field: str, offset: str, notes: str) -> str:
    return f"  {layer:<7}{channels:>8}  {stride:<12}{field:<14}{offset:<16}{notes}"
