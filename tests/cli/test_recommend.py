"""`presets recommend`: the preset for a pair, from one body's images in one contrast, two contrasts, and as CT."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from elastix_impact.cli.main import main
from elastix_impact.diagnosis.recommend import recommend
from elastix_impact.geometry.image import Image
from elastix_impact.io.images import write_image
from elastix_impact.parameters.presets import PRESETS
from search_scenes import blob, image, noisy

SIZE = (36, 40, 32)


def written(folder: Path, name: str, one: Image) -> Path:
    path = folder / f"{name}.nii.gz"
    write_image(path, one.data, one.grid)
    return path


def body(seed: int) -> Image:
    """An L of two tissues and a ball, in a darker body, in air; never below zero."""
    values = blob(SIZE) + 0.5 * (blob((34, 38, 30)).new_ones(SIZE[::-1]))
    values[:, :5], values[..., :5] = 0.0, 0.0
    return image(noisy(values, seed).clamp_min(0) * 100)


def test_one_contrast_gets_local_correlation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fixed, moving = written(tmp_path, "f", body(1)), written(tmp_path, "m", body(2))
    assert main(["presets", "recommend", "-f", str(fixed), "-m", str(moving), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["preset"] == "mono"
    assert found["contrast"]["brighter"] > 0.4
    assert any("one contrast" in reason for reason in found["reasons"])


def test_inverted_contrast_gets_the_general_preset(tmp_path: Path) -> None:
    one = body(2)
    other = replace(one, data=one.data.max() - one.data)
    found = recommend(written(tmp_path, "f", body(1)), written(tmp_path, "m", other))
    assert found.preset == "general"
    assert found.contrast is not None
    assert found.contrast.everywhere < 0
    assert any("contrasts differ" in reason for reason in found.reasons)


def scan(seed: int) -> Image:
    return replace(body(seed), data=body(seed).data * 10 - 1000)


@pytest.mark.slow
def test_two_cts_of_one_contrast_get_the_preset_for_cts_and_a_word_on_its_model(tmp_path: Path) -> None:
    found = recommend(written(tmp_path, "f", scan(1)), written(tmp_path, "m", scan(2)))
    assert found.contrast is not None
    assert found.contrast.is_one
    assert found.preset == "ct-ct"
    assert any("Hounsfield" in reason for reason in found.reasons)
    assert any("two people" in reason and "models download TS/M730" in reason for reason in found.reasons)


def test_ct_and_another_image_get_the_general_preset_though_their_contrast_is_one(tmp_path: Path) -> None:
    found = recommend(written(tmp_path, "f", scan(1)), written(tmp_path, "m", body(2)))
    assert found.contrast is not None
    assert found.contrast.is_one
    assert found.preset == "general"


def test_pictures_get_the_general_preset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = str(written(tmp_path, "a", image(noisy(blob((64, 56)), 1).clamp_min(0))))
    assert main(["presets", "recommend", "-f", picture, "-m", picture]) == 0
    name, *reasons = capsys.readouterr().out.splitlines()
    assert name == "general"
    assert any("stains" in reason for reason in reasons)


@pytest.mark.parametrize("missing", ["-f", "-m"])
def test_an_image_that_is_not_there_is_named(tmp_path: Path, missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    there = written(tmp_path, "f", body(1))
    words = {"-f": str(there), "-m": str(there)} | {missing: str(tmp_path / "nowhere.nii.gz")}
    assert main(["presets", "recommend", *(word for pair in words.items() for word in pair)]) == 2
    assert "nowhere.nii.gz" in capsys.readouterr().err
    assert set(PRESETS) >= {"mono", "general"}
