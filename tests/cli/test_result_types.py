"""The result image of a preset has the moving image's own type: nothing is rounded or clipped to short."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from elastix_impact.cli.main import main
from elastix_impact.parameters.presets import NOMINAL, PRESETS, preset_texts
from elastix_impact.parameters.resolve import resolve
from elastix_impact.parameters.text import parse_parameter_text
from elastix_impact.runs.presets import facts_of

TYPES = {
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "float32": "float",
    "float64": "double",
}


def bumps(shift: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """A smooth body with some texture in [0, 1], voxels of 4 mm."""
    z, y, x = (a - s for a, s in zip(np.mgrid[:20, :20, :20] * 4.0 - 38, shift))
    return np.exp(-(x * x + y * y / 2 + z * z) / 500) * (0.8 + 0.2 * np.sin(x / 5) * np.cos(y / 6 + z / 7))


def write(path: Path, values: np.ndarray) -> Path:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((4.0, 4.0, 4.0))
    sitk.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("kind", TYPES)
def test_every_stage_of_every_preset_has_the_moving_images_type(kind: str, tmp_path: Path) -> None:
    fixed = write(tmp_path / "fixed.nii.gz", bumps().astype(np.float32))
    moving = write(tmp_path / "moving.nii.gz", (bumps() * 200).astype(kind))
    facts = facts_of(fixed, moving)
    for preset in PRESETS.values():
        for name, text in preset_texts(preset, facts):
            plan = resolve(parse_parameter_text(text, name)).plan
            assert plan is not None
            assert plan.output.result_image_pixel_type == TYPES[kind], name


def test_a_preset_shown_without_images_writes_float() -> None:
    assert all('(ResultImagePixelType "float")' in text for _, text in preset_texts(PRESETS["mono"], NOMINAL))


def test_the_result_keeps_the_intensities(tmp_path: Path) -> None:
    scale = 60000.0
    fixed = write(tmp_path / "fixed.nii.gz", (bumps() * scale).astype(np.uint16))
    moving = write(tmp_path / "moving.nii.gz", (bumps((3.0, -4.0, 5.0)) * scale).astype(np.uint16))
    words = ["-f", str(fixed), "-m", str(moving), "--preset", "rigid", "-o", str(tmp_path / "o"), "--quiet"]
    assert main(["register", *words, "--threads", "1"]) == 0
    result = sitk.ReadImage(str(tmp_path / "o" / "result.1.mha"))
    assert result.GetPixelID() == sitk.ReadImage(str(moving)).GetPixelID()
    inner = (slice(4, -4),) * 3
    apart = sitk.GetArrayFromImage(result).astype(float)[inner] - (bumps() * scale)[inner]
    assert sitk.GetArrayFromImage(result).max() > 32767
    assert np.median(np.abs(apart)) < 600
