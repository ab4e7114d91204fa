"""`elastix-impact models inspect` and `models verify`: what is in a model file, and what it is fit for."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from elastix_impact.io.json_text import json_text

from .common import add_model_limits, add_trust_option, model_limits, trusted_models
from .failures import BAD_INPUT, say_warning

if TYPE_CHECKING:
    from elastix_impact.zoo.abilities import Abilities
    from elastix_impact.zoo.inspect import LayerGeometry, ModelReport
    from elastix_impact.zoo.verify import ModeVerdict, Verification

WHAT_LOADING_MEANS = (
    "a TorchScript file is a program: loading it runs code from the file, in a process of its own, with your "
    "rights. "
    "Use files whose source you trust"
)

_INSPECT = (
    "Runs each model on small random images and prints its inputs, what it can stand, and per layer the channels, the "
    "stride, the receptive field and the offset of its centre, in input voxels, x y z. "
    + WHAT_LOADING_MEANS[0].upper()
    + WHAT_LOADING_MEANS[1:]
    + "."
)

_VERIFY = (
    "Tries each model out as a registration would: sizes, constant, flipped and permuted images, batches of patches, "
    "gradients. Says whether it is fit for Static and for Jacobian mode, and prints the parameter map lines to paste. "
    "Exit code 0 if every model is fit for at least one mode, else 2."
)


def add_actions(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the two actions."""
    for name, words, description, run in (
        ("inspect", "what a model file takes and gives", _INSPECT, run_inspect),
        ("verify", "whether a model is fit for a registration", _VERIFY, run_verify),
    ):
        parser = actions.add_parser(name, help=words, description=description)
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="TorchScript files (.pt)")
        add_trust_option(parser)
        add_model_limits(parser)
        parser.add_argument("--json", action="store_true", help="print JSON instead of text")
        parser.set_defaults(run=run)


def run_inspect(arguments: argparse.Namespace) -> int:
    """Print a table per file (or JSON) on stdout; exit code 0."""
    from dataclasses import asdict

    from elastix_impact.zoo.apart import inspect_apart
    from elastix_impact.zoo.trust import trusting

    say_warning(WHAT_LOADING_MEANS)
    with trusting(trusted_models(arguments)):
        reports = [inspect_apart(path, model_limits(arguments)) for path in arguments.files]
    if arguments.json:
        sys.stdout.write(json_text([asdict(report) for report in reports]))
    else:
        sys.stdout.write("\n\n".join(report_text(report) for report in reports) + "\n")
    return 0


def run_verify(arguments: argparse.Namespace) -> int:
    """Print the verdicts (or JSON) on stdout; exit code 0, or 2 if a model is fit for no mode."""
    from elastix_impact.zoo.apart import verify_apart
    from elastix_impact.zoo.trust import trusting

    say_warning(WHAT_LOADING_MEANS)
    with trusting(trusted_models(arguments)):
        found = [verify_apart(path, model_limits(arguments)) for path in arguments.files]
    if arguments.json:
        sys.stdout.write(json_text([_verdict_json(one) for one in found]))
    else:
        sys.stdout.write("\n\n".join(verdict_text(one) for one in found) + "\n")
    return 0 if all(one.static.fit or one.jacobian.fit for one in found) else BAD_INPUT


def verdict_text(verification: "Verification") -> str:
    """A verdict per mode with the lines to paste, and the remarks, without the last line end."""
    from elastix_impact.zoo.map_lines import map_lines

    lines = [verification.report.path]
    for verdict in (verification.static, verification.jacobian):
        lines += ["", f"  {verdict.mode} mode: {'fit' if verdict.fit else 'not fit'}"]
        lines += [f"    - {fault}" for fault in verdict.faults]
        lines += [f"    {line}" for line in (map_lines(verification.report, verdict) if verdict.fit else ())]
    lines += ["", *(f"  remark: {remark}" for remark in verification.remarks)] if verification.remarks else []
    return "\n".join(lines)


def _verdict_json(verification: "Verification") -> dict[str, object]:
    from dataclasses import asdict

    from elastix_impact.zoo.map_lines import map_lines

    def mode(verdict: "ModeVerdict") -> dict[str, object]:
        return asdict(verdict) | {"fit": verdict.fit, "map_lines": map_lines(verification.report, verdict)}

    return {
        "report": asdict(verification.report),
        "static": mode(verification.static),
        "jacobian": mode(verification.jacobian),
        "remarks": verification.remarks,
    }


def report_text(report: "ModelReport") -> str:
    """A report as plain text, without the last line end."""
    inputs = ("x", "nb_layers", "stats", "direction")[: report.number_of_inputs]
    megabytes = report.file_size / 1e6
    facts = {
        "file": f"{megabytes:.2f} MB, sha256 {report.sha256}",
        "made by": f"torch.jit.{report.kind}",
        "parameters": f"{report.number_of_parameters:,}" + (f" of {report.dtype}" if report.dtype else ""),
        "forward": f"({', '.join(inputs)})",
        "input": f"{report.dimension}-D, {report.channels} channel{'s' if report.channels > 1 else ''}",
        "differentiable": "yes" if report.differentiable else "no: usable in Static mode only",
        "deterministic": "yes" if report.deterministic else "no: two runs differ",
        **_ability_facts(report.abilities),
    }
    lines = [report.path, *(f"  {name:<16}{text}" for name, text in facts.items()), ""]
    lines += [_row("layer", "channels", "stride", "field", "offset", "")]
    lines += [_layer_row(number, layer) for number, layer in enumerate(report.layers)]
    return "\n".join(line.rstrip() for line in lines)


def _ability_facts(abilities: "Abilities") -> dict[str, str]:
    if abilities.smallest_side is None:
        sizes = "none of equal sides up to 128 voxels"
    else:
        step = abilities.side_step
        steps = "any size" if step == 1 else "some sizes only" if step is None else f"in steps of {step}"
        sizes = f"from {abilities.smallest_side} voxels, {steps}"
    per_voxel = abilities.memory_per_voxel
    errors = {"bfloat16": abilities.bfloat16_error, "float16": abilities.float16_error}
    return {
        "sizes": sizes,
        "other devices": f"fails: {abilities.device_fault}" if abilities.device_fault else "nothing speaks against it",
        "mixed precision": ", ".join(f"{name} {_error_text(error)}" for name, error in errors.items()),
        "memory": f"{per_voxel:.0f} bytes per voxel, {per_voxel / 1e3:.2g} GB for 100^3 voxels",
    }


def _error_text(error: float | None) -> str:
    if error is None:
        return "fails"
    return f"changes features by {error:.1%}" if error < 1e6 else "overflows"


def _layer_row(number: int, layer: "LayerGeometry") -> str:
    if layer.fixed_size is not None:
        size = "x".join(map(str, layer.fixed_size))
        return _row(str(number), str(layer.channels), "-", "all", "-", f"always {size} voxels")
    notes = [
        *(["sees the whole image: by statistics, or attention"] if layer.global_context else []),
        *([] if layer.measured else ["offset assumed"]),
    ]
    stride, field, offset = (
        " ".join(f"{value:g}" for value in values) for values in (layer.stride, layer.receptive_field, layer.offset)
    )
    return _row(str(number), str(layer.channels), stride, field, offset, ", ".join(notes))


def _row(layer: str, channels: str, stride: str, field: str, offset: str, notes: str) -> str:
    return f"  {layer:<7}{channels:>8}  {stride:<12}{field:<14}{offset:<16}{notes}"
