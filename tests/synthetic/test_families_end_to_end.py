"""Every family of models, from its weights to a registration: export, inspect, verify, Static and Jacobian mode.

The map is made of the lines that `models verify` prints to paste. Real weights can't be had here: those are random, in
the layout in which they are published.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from elastix_impact.cli.main import main
from nnunet_folder import write_folder
from small_case import MAP, write_small_case

Exporter = Callable[[Path], list[str]]
"""Writes the published weights below a folder; returns the words of `models export` after the family."""

STRIDES = ((1, 1, 1), (2, 2, 2), (2, 2, 2))


def _mind(dimension: int) -> Exporter:
    return lambda folder: ["--dim", str(dimension)]


def _trained(scheme: str, kind: str = "PlainConvUNet") -> Exporter:
    return lambda folder: [str(write_folder(folder, scheme=scheme, kind=kind, strides=STRIDES).folder)]


FAMILIES: dict[str, tuple[str, Exporter]] = {
    "MIND 3-D": ("mind", _mind(3)),
    "MIND 2-D": ("mind", _mind(2)),
    "TotalSegmentator CT": ("totalsegmentator", _trained("CTNormalization")),
    "TotalSegmentator MR": ("totalsegmentator", _trained("ZScoreNormalization")),
    "MRSegmentator": ("mrsegmentator", _trained("ZScoreNormalization", "ResidualEncoderUNet")),
    "any nnU-Net": ("nnunet", _trained("ZScoreNormalization")),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_from_weights_to_a_registration(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    family, weights = FAMILIES[name]
    model = tmp_path / "model.pt"
    assert main(["models", "export", family, *weights(tmp_path / "weights"), "--out", str(model)]) == 0
    assert capsys.readouterr().out == f"{model}\n"
    assert main(["models", "inspect", str(model), "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert report["differentiable"]
    assert main(["models", "verify", str(model), "--json"]) == 0
    (verdict,) = json.loads(capsys.readouterr().out)
    for mode in ("static", "jacobian"):
        assert verdict[mode]["fit"], verdict[mode]["faults"]
        before, after = _registered(tmp_path / mode, verdict[mode]["map_lines"], mode)
        assert after < 0.8 * before, mode


def _registered(folder: Path, lines: list[str], mode: str) -> tuple[float, float]:
    """Mean landmark error in mm before and after a short registration with these lines in the map."""
    data = write_small_case(folder / "Data")
    voxel = 4 if mode == "static" else 2
    kept = [line for line in MAP.splitlines() if not line.startswith(("(Impact", "(Metric"))]
    adapted = [re.sub(r"(\(ImpactVoxelSize0)[^)]*", rf"\1 {voxel}", line) for line in lines]
    if mode == "jacobian":
        kept = [line.replace("SpatialSamples 500", "SpatialSamples 200") for line in kept]
        kept += ["(NumberOfSamplesForExactGradient 200)"]
    (data / "ParameterMap.txt").write_text("\n".join([*kept, *adapted]) + "\n")
    assert main(["run", "--data", str(data), "--out", str(folder / "Out"), "--quiet", "--device", "cpu"]) == 0
    errors = json.loads((folder / "Out" / "registration.json").read_text())["landmarks_mm"]
    return errors["before"]["mean"], errors["after"]["mean"]
