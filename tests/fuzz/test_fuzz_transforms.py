"""Damaged transform files, by a seed: the same map, another sound one, or an error of ours; never a traceback.

What was damaged decides what is right: a number that is NaN, infinite, missing or too many is refused; a file cut short
is refused or still says the same map; after a changed byte the map is finite, or the file is refused.
"""

import random
import re
from pathlib import Path

import pytest
import SimpleITK as sitk
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.io.itk_transform import write_itk_field, write_itk_transform
from elastix_impact.io.read_transform import read_transform
from elastix_impact.io.transform_file import TransformRecord, write_transform_file
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform
from fuzz.battery import CASES, WRONG, Case, Outcome, run_battery
from transform_samples import samples

GRID = Grid.axis_aligned((5, 6, 4), (20.0, 15.0, 30.0), (-40.0, 30.0, -50.0))
POINTS = GRID.to_world(torch.rand(20, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3)
MINIMAL = '(Transform "TranslationTransform")\n(NumberOfParameters 3)\n(TransformParameters 1 2 3)\n'
BAD_NUMBERS = ("nan", "inf", "-inf", "1e999", "-1e999", "x", "1_0", "0x10", "１", "1,5", "--1", "1e", "")
READ_KEYS = re.compile(
    r"\((?:TransformParameters|NumberOfParameters|CenterOfRotationPoint|Size|Index|Spacing|Origin|Direction|Grid\w+|"
    r"DefaultPixelValue|FinalBSplineInterpolationOrder|BSplineTransformSplineOrder|FixedImageDimension) |"
    r"^(?:Fixed)?Parameters: (?=[-\d])"
)
"""Beginnings of lines whose numbers a reader needs."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A file of every form and kind."""
    folder = tmp_path_factory.mktemp("sound")
    kinds = samples(GRID)
    lattice = Grid.axis_aligned((5, 5, 5), (40.0, 40.0, 60.0), (-60.0, 0.0, -90.0))
    values = torch.rand(375, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    kinds = {name: kind for name, kind in kinds.items() if "spline" not in name} | {
        "spline": BSplineTransform(values, lattice)
    }
    for name, kind in kinds.items():
        for suffix in ("txt", "toml"):
            write_transform_file(folder / f"{name}.{suffix}", TransformRecord(transform=kind, fixed_grid=GRID))
        for suffix in ("tfm", "h5", "itk.txt"):
            write_itk_transform(folder / f"{name}.{suffix}", kind)
    (folder / "minimal.txt").write_text(MINIMAL)
    write_itk_transform(folder / "composite.tfm", CompositeTransform(kinds["euler"], kinds["affine"]))
    write_itk_field(folder / "field.tfm", torch.rand(3, *GRID.shape), GRID)
    sitk.WriteTransform(sitk.AffineTransform(3), str(folder / "ants.mat"))
    skewed = sitk.ComposeScaleSkewVersor3DTransform()
    skewed.SetSkew((0.1, 0.2, 0.3))
    sitk.WriteTransform(skewed, str(folder / "skewed.tfm"))
    return sorted(folder.iterdir())


def number_line(lines: list[str], draw: random.Random) -> tuple[int, list[str], list[int]]:
    """A line with numbers that are read, its words, and which of them are numbers."""
    places = [number for number, line in enumerate(lines) if READ_KEYS.match(line)]
    place = draw.choice(places)
    words = re.split(r"(?<=[\s(])|(?=[\s)])", lines[place])
    return place, words, [k for k, word in enumerate(words) if re.fullmatch(r"-?[\d.]+(?:e[-+]?\d+)?", word)]


def damaged_text(text: str, draw: random.Random) -> tuple[str, str]:
    """How a text was damaged, and what it is then."""
    lines = text.splitlines(keepends=True)
    how = draw.choice(("bad", "missing", "surplus", "twice", "cut", "byte", "byte", "line"))
    if how in ("bad", "missing", "surplus"):
        place, words, numbers = number_line(lines, draw)
        k = draw.choice(numbers)
        words[k] = {"bad": draw.choice(BAD_NUMBERS), "missing": "", "surplus": f"{words[k]} {words[k]}"}[how]
        lines[place] = "".join(words)
        return how, "".join(lines)
    if how == "twice":
        place = number_line(lines, draw)[0]
        return how, "".join([*lines[: place + 1], lines[place], *lines[place + 1 :]])
    if how == "cut":  # in the middle of the last line no reader could know
        return how, text[: draw.randrange(len(text) - len(lines[-1]))]
    place = draw.randrange(len(text))
    if how == "line":
        lines.pop(draw.randrange(len(lines)))
        return how, "".join(lines)
    return how, text[:place] + chr(draw.randrange(1, 300)) + text[place + 1 :]


def damaged(path: Path, target: Path, draw: random.Random) -> str:
    """Write a damaged copy; how it was damaged."""
    if path.suffix in (".h5", ".mat"):
        content = bytearray(path.read_bytes())
        if draw.random() < 0.3:
            target.write_bytes(content[: draw.randrange(len(content))])
            return "cut"
        for _ in range(draw.choice((1, 2, 8))):
            content[draw.randrange(len(content))] = draw.randrange(256)
        target.write_bytes(content)
        return "byte"
    text = path.read_text()
    if path.suffix == ".toml":
        at = draw.randrange(len(text))
        target.write_text(text[:at] + chr(draw.randrange(32, 127)) + text[at + 1 :], encoding="utf-8")
        return "byte"
    how, text = damaged_text(text, draw)
    target.write_text(text, encoding="utf-8")
    return how


def test_damaged_transform_files(sound: list[Path], tmp_path: Path) -> None:
    truth = {path: read_transform(path).as_stored.map_points(POINTS) for path in sound}

    def make(seed: int) -> Case:
        draw = random.Random(seed)
        path = draw.choice(sound)
        target = tmp_path / f"t{''.join(path.suffixes)}"
        how = damaged(path, target, draw)
        return Case(f"{path.name}, {how}", lambda: taken(target, how, truth[path]), target.name)

    outcomes = run_battery(make)
    assert outcomes["refused"] > CASES // 3
    assert outcomes["read"] > CASES // 20


def taken(target: Path, how: str, truth: torch.Tensor) -> Outcome:
    """How a damaged file is read."""
    points = POINTS if truth.shape == POINTS.shape else POINTS[:, :2]
    mapped = read_transform(target).as_stored.map_points(points)
    if how in ("bad", "missing", "surplus", "twice"):
        return f"{WRONG}accepted"
    if how == "cut" and not torch.equal(mapped, truth):
        return f"{WRONG}another map was read from a part of the file"
    return "read" if bool(mapped.isfinite().all()) else f"{WRONG}points are mapped to what is no number"
