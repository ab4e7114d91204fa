"""Damaged landmark files, by a seed: the same points, other finite ones, or an error of ours; never a traceback.

What was damaged decides what is right: a coordinate that is NaN, infinite, missing or too many is refused; of a file
cut short at most the first points are read, as they were; after a changed byte all points are finite.
"""

import random
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.io.points import read_points, write_points
from fuzz.battery import CASES, WRONG, Case, Outcome, run_battery

GRID = Grid.axis_aligned((30, 40, 50), (1.5, 2.0, 2.5), (-10.0, 20.0, -30.0))
FLAT = Grid.axis_aligned((30, 40), (1.0, 1.0))
POINTS = torch.rand(7, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 100 - 50
HISTOLOGY = ",X,Y\n1,226.5125,173.2525\n2,278.5125,182.7525\n3,300.5125,190.5125\n"
BAD_NUMBERS = ("nan", "NaN", "inf", "-inf", "1e999", "x", "1_0", "0x10", "１", "--1", "1e", "true", "null")
COORDINATE = re.compile(r"-?\d+\.\d{4,}(?:e[-+]?\d+)?")
"""Coordinates are the only numbers with so many digits in sound files."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A file of every form."""
    folder = tmp_path_factory.mktemp("sound")
    names = [f"place {k}" for k in range(len(POINTS))]
    for name in ("p.txt", "p.csv", "p.fcsv", "p.mrk.json"):
        write_points(folder / name, POINTS, names)
    write_points(folder / "flat.txt", POINTS[:, :2])
    write_points(folder / "bare.csv", POINTS)
    (folder / "i.txt").write_text((folder / "p.txt").read_text().replace("point", "index"))
    (folder / "semicolons.csv").write_text((folder / "p.csv").read_text().replace(",", ";"))
    (folder / "h.csv").write_text(HISTOLOGY)
    return sorted(folder.iterdir())


def read(path: Path) -> Tensor:
    flat = path.name.startswith(("flat", "h"))
    return read_points(path, FLAT if flat else GRID).world_points


def damaged(path: Path, draw: random.Random) -> tuple[str, str]:
    """How a text was damaged, and what it is then."""
    text = path.read_text()
    how = draw.choice(("bad", "missing", "surplus", "cut", "byte", "byte", "line"))
    place = draw.randrange(len(text))
    if how in ("bad", "missing", "surplus"):
        number = draw.choice(list(COORDINATE.finditer(text)))
        separator = ", " if path.suffix == ".json" else next((mark for mark in ",;" if mark in text), " ")
        if how == "bad":
            new, end = draw.choice(BAD_NUMBERS), number.end()
        elif how == "surplus":
            new, end = f"{number.group()}{separator}{number.group()}", number.end()
        else:
            rest = re.match(r"\s*[,;]\s*| ", text[number.end() :])
            new, end = "", number.end() + (rest.end() if rest else 0)
        return how, text[: number.start()] + new + text[end:]
    if how == "cut":
        return how, text[:place]
    if how == "line":
        lines = text.splitlines(keepends=True)
        lines.pop(draw.randrange(len(lines)))
        return how, "".join(lines)
    return how, text[:place] + chr(draw.randrange(1, 300)) + text[place + 1 :]


def test_damaged_landmark_files(sound: list[Path], tmp_path: Path) -> None:
    truth = {path: read(path) for path in sound}

    def make(seed: int) -> Case:
        draw = random.Random(seed)
        path = draw.choice(sound)
        target = tmp_path / path.name
        how, text = damaged(path, draw)
        target.write_text(text, encoding="utf-8")
        return Case(f"{path.name}, {how}", lambda: taken(target, how, truth[path]), target.name)

    outcomes = run_battery(make)
    assert outcomes["refused"] > CASES // 3
    assert outcomes["read"] > CASES // 20


def taken(target: Path, how: str, truth: Tensor) -> Outcome:
    """How a damaged file is read."""
    found = read(target)
    if how in ("bad", "missing", "surplus"):
        return f"{WRONG}accepted"
    if how == "cut" and not torch.equal(found[:-1], truth[: len(found) - 1]):  # the last number may have lost digits
        return f"{WRONG}other points were read from a part of the file"
    sound = found.ndim == 2 and bool(found.isfinite().all())
    return "read" if sound else f"{WRONG}points that are no numbers"
