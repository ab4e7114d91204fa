"""Pictures without a real scale: told by suffix and resolution, warned of once, measured in pixels."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from elastix_impact.geometry.image import Image
from elastix_impact.io.images import read_image
from elastix_impact.io.scale import MILLIMETRES, length_unit
from elastix_impact.io.warning import InputWarning
from elastix_impact.judging.evaluate import Judged, evaluate
from elastix_impact.judging.text import evaluation_text
from elastix_impact.transforms.translation import TranslationTransform


def _save(path: Path, **options: tuple[int, int]) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30), dtype=np.uint8)
    Picture.fromarray(pixels).save(path, format=None, **options)
    return path


@pytest.mark.parametrize(
    ("name", "options", "size"),
    [
        ("a.jpg", {"dpi": (72, 72)}, 25.4 / 72),
        ("a.jpeg", {"dpi": (96, 96)}, 25.4 / 96),
        ("a.jpg", {}, 1.0),
        ("a.png", {}, 1.0),
        ("a.TIF", {}, 1.0),
    ],
)
def test_a_picture_without_scale_is_told_in_pixels_and_warned_of_once(
    tmp_path: Path, name: str, options: dict[str, tuple[int, int]], size: float
) -> None:
    path = _save(tmp_path / name, **options)
    with pytest.warns(InputWarning, match="its pixels have no real size") as said:
        image = read_image(path)
    assert len(said) == 1
    unit = length_unit(image.name, image.grid.spacing)
    assert unit.name == "px"
    assert unit.size_mm == pytest.approx(size, rel=1e-3)
    assert unit.of(10 * size) == pytest.approx(10, rel=1e-3)


def test_a_real_resolution_counts(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read_image(_save(tmp_path / "a.jpg", dpi=(300, 300)))
    assert length_unit(image.name, image.grid.spacing) == MILLIMETRES


def test_masks_are_not_warned_of(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_image(_save(tmp_path / "mask.png"), allow_constant=True)


@pytest.mark.parametrize(
    ("name", "spacing"),
    [("a.mha", (1.0, 1.0)), ("a.nii.gz", (0.353, 0.353)), ("a.tif", (1.0, 1.0, 1.0)), ("a.jpg", (1.0, 2.0))],
)
def test_other_images_are_in_millimetres(name: str, spacing: tuple[float, ...]) -> None:
    assert length_unit(name, spacing) == MILLIMETRES


def test_histology_at_28_dots_per_cm_is_a_screens() -> None:
    assert length_unit("slide.jpg", (10 / 28, 10 / 28)).name == "px"


def test_text_is_in_pixels_and_the_file_stays_in_millimetres(tmp_path: Path) -> None:
    with pytest.warns(InputWarning, match="no real size"):
        fixed = read_image(_save(tmp_path / "a.jpg", dpi=(72, 72)))
    size = fixed.grid.spacing[0]
    points = torch.tensor([[1.0, 1.0], [4.0, 3.0]], dtype=torch.float64)
    moved = points + torch.tensor([3 * size, 4 * size], dtype=torch.float64)
    shift = TranslationTransform(torch.tensor([3 * size, 0.0], dtype=torch.float64))
    summary = evaluate(Judged(shift, fixed=fixed, landmarks=(points, moved)))
    text = evaluation_text(summary)
    assert "TRE [px]" in text
    assert f"< {2 / size:.2g} px" in text
    assert text.splitlines()[1].split()[:2] == ["before", "5.00"]
    assert text.splitlines()[2].split()[:2] == ["after", "4.00"]
    assert "displacement [px]: mean 3.00" in text
    assert "mm" not in text
    content = summary.to_json()
    assert content["pixel_mm"] == pytest.approx(size)
    assert content["landmarks_mm"]["after"]["mean"] == pytest.approx(4 * size)
    in_mm = evaluate(Judged(shift, fixed=Image(fixed.data, fixed.grid, "a.mha"), landmarks=(points, moved)))
    assert in_mm.to_json() | {"seconds": 0} == content | {"pixel_mm": None, "seconds": 0}
