"""Every family of models, from its weights to a registration: export, inspect, verify, Static and Jacobian mode.

The map is made of the lines that `models verify` prints to paste. Real weights can't be had here: those are random, in
the layout in which they are published.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from elastix_impact.cli.main import main
from nnunet_folder import write_folder
from published_weights import anatomix, dinov2, hiera, of_dinov2_authors, of_sam_authors, saved
from slow_cases import slow_marked
from small_case import registered_with_lines

Exporter = Callable[[Path], list[str]]
"""Writes the published weights below a folder; returns the words of `models export` after the family."""

STRIDES = ((1, 1, 1), (2, 2, 2), (2, 2, 2))

FIRST_LAYER = {
    "ImpactSubsetFeatures0": "96", "ImpactPCA0": "0", "ImpactDistance0": '"L1"', "ImpactLayersWeight0": "1"
}  # fmt: skip


def _mind(dimension: int) -> Exporter:
    return lambda folder: ["--dim", str(dimension)]


def _trained(scheme: str, kind: str = "PlainConvUNet") -> Exporter:
    return lambda folder: [str(write_folder(folder, scheme=scheme, kind=kind, strides=STRIDES).folder)]


def _sam(folder: Path) -> list[str]:
    return [str(saved(of_sam_authors(hiera()), folder / "sam2.1_hiera_tiny.pt"))]


def _dinov2(folder: Path) -> list[str]:
    return [str(saved(of_dinov2_authors(dinov2()), folder / "dinov2_vits14_pretrain.pth")), "--layers", "0", "5"]


def _anatomix(folder: Path) -> list[str]:
    return [str(saved(anatomix().state_dict(), folder / "anatomix.pth"))]


FAMILIES: dict[str, tuple[str, Exporter]] = {
    "MIND 3-D": ("mind", _mind(3)),
    "MIND 2-D": ("mind", _mind(2)),
    "TotalSegmentator CT": ("totalsegmentator", _trained("CTNormalization")),
    "TotalSegmentator MR": ("totalsegmentator", _trained("ZScoreNormalization")),
    "MRSegmentator": ("mrsegmentator", _trained("ZScoreNormalization", "ResidualEncoderUNet")),
    "any nnU-Net": ("nnunet", _trained("ZScoreNormalization")),
    "SAM 2.1": ("sam", _sam),
    "DINOv2": ("dinov2", _dinov2),
    "Anatomix": ("anatomix", _anatomix),
}

CHANGES: dict[str, dict[str, dict[str, str]]] = {
    "SAM 2.1": {"jacobian": {**FIRST_LAYER, "ImpactLayersMask0": '"1000"', "ImpactPatchSize0": "7 7"}},
    "DINOv2": {
        "static": {"ImpactVoxelSize0": "1 1 4"},  # tokens of 14 mm
        "jacobian": {**FIRST_LAYER, "ImpactLayersMask0": '"10"'},
    },
    "Anatomix": {
        "jacobian": {
            "NumberOfSpatialSamples": "20",
            "NumberOfSamplesForExactGradient": "20",
            "MaximumNumberOfIterations": "8",
            "NumberOfResolutions": "1",
            "ImagePyramidRescaleSchedule": "1 1 1",
            "ImagePyramidSmoothingSchedule": "0 0 0",
        }
    },
}
"""What the lines to paste need for this small image: a few voxels are less than a transformer's patch, and a volume of
32 voxels per sample takes its time."""


SLOW = {"Anatomix", "TotalSegmentator MR"}
"""Take minutes."""


@pytest.mark.parametrize("name", slow_marked(FAMILIES, SLOW))
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
        changes = CHANGES.get(name, {}).get(mode, {})
        before, after = registered_with_lines(tmp_path / mode, verdict[mode]["map_lines"], mode, changes)
        assert after < 0.8 * before, mode
