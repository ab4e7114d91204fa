"""Landmarks from files: elastix's point files, 3D Slicer's markups, and tables."""

import csv
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from elastix_impact.errors import LandmarkError
from elastix_impact.geometry.grid import Grid
from elastix_impact.typing import Points

from .atomic import write_text_whole
from .warning import InputWarning

Row = tuple[float, ...]


@final
@dataclass(frozen=True, eq=False)
class Landmarks:
    """World points in mm, float64 (N, D), with their labels where the file has some."""

    world_points: Points
    labels: tuple[str, ...] | None
    source: str


def read_points(path: Path, grid: Grid | None) -> Landmarks:
    """The landmarks in a file.

    Parameters
    ----------
    path
        elastix's form (first line ``point`` or ``index``; without it the points are indices), ``.fcsv``, ``.mrk.json``,
        or ``.csv`` with columns x, y(, z) in mm (LPS).
    grid
        Of the image that the points belong to; needed for indices only.

    Raises
    ------
    LandmarkError
        If the file is missing, empty or malformed (with the line), or holds indices and `grid` is None.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise LandmarkError("no such landmark file", where=str(path), remedy="Check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise LandmarkError(f"the landmark file can't be read: {error}", where=str(path)) from error
    name = path.name.lower()
    if name.endswith(".json"):
        return _markups(text, path)
    if name.endswith(".fcsv"):
        return _fiducials(text, path)
    if name.endswith(".csv"):
        return _table(text, path)
    return _elastix_points(text, path, grid)


def pair_landmarks(fixed: Landmarks, moving: Landmarks) -> tuple[Points, Points]:
    """Fixed and moving points that belong together, (N, D) each.

    By label where both files have the same unique labels, else by order.

    Raises
    ------
    LandmarkError
        If their numbers or dimensions differ.

    Warns
    -----
    InputWarning
        If both have labels that differ, so that only the order is left.
    """
    counts = len(fixed.world_points), len(moving.world_points)
    if counts[0] != counts[1] or fixed.world_points.shape[1] != moving.world_points.shape[1]:
        dimensions = fixed.world_points.shape[1], moving.world_points.shape[1]
        raise LandmarkError(
            f"{counts[0]} fixed landmarks in {fixed.source} and {counts[1]} moving ones "
            f"({dimensions[0]}-D and {dimensions[1]}-D)",
            where=moving.source,
            expected="one moving landmark per fixed landmark",
        )
    if fixed.labels is None or moving.labels is None or fixed.labels == moving.labels:
        return fixed.world_points, moving.world_points
    if len(set(fixed.labels)) == counts[0] and set(fixed.labels) == set(moving.labels):
        order = [moving.labels.index(label) for label in fixed.labels]
        return fixed.world_points, moving.world_points[order]
    warnings.warn(
        f"the labels of {fixed.source} and {moving.source} differ: landmarks are paired by their order",
        InputWarning,
        stacklevel=2,
    )
    return fixed.world_points, moving.world_points


def write_points(path: Path, world_points: Points) -> None:
    """Write world points in mm (N, D) in elastix's form; raises OutputError."""
    lines = [" ".join(repr(c) for c in row) for row in world_points.double().tolist()]
    write_text_whole(Path(path), "\n".join(["point", str(len(lines)), *lines]) + "\n")


def _elastix_points(text: str, path: Path, grid: Grid | None) -> Landmarks:
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    lines = [(number, words) for number, words in lines if not words[0].startswith(("#", "//"))]
    if not lines:
        raise LandmarkError("the landmark file is empty", where=str(path), expected='"point", their number, the points')
    kind = lines[0][1][0].lower() if lines[0][1][0].lower() in ("point", "index") else None
    body = lines[1:] if kind else lines
    if not body or len(body[0][1]) != 1 or not body[0][1][0].isdigit():
        where = f"{path}:{body[0][0] if body else lines[0][0]}"
        got = " ".join(body[0][1]) if body else "the end of the file"
        raise LandmarkError(f"the number of points is missing, found {got!r}", where=where, expected="a whole number")
    count, rows = int(body[0][1][0]), body[1:]
    if len(rows) != count:
        raise LandmarkError(
            f"{count} points are announced and {len(rows)} follow",
            where=str(path),
            remedy="Correct the number in the file",
        )
    points = _tensor([(number, _numbers(words, path, number)) for number, words in rows], path)
    if kind == "point":
        return Landmarks(points, None, str(path))
    if grid is None:
        raise LandmarkError(
            "the landmarks are voxel indices, and their image is not known",
            where=str(path),
            remedy='Give the image too, or write "point" in the first line if they are mm',
        )
    if grid.dimension != points.shape[1]:
        raise LandmarkError(f"{points.shape[1]}-D indices for an image of {grid.dimension} dimensions", where=str(path))
    return Landmarks(grid.to_world(points), None, str(path))


def _numbers(words: list[str], path: Path, number: int) -> Row:
    try:
        return tuple(float(word) for word in words)
    except ValueError as error:
        raise LandmarkError(
            f"no number in {' '.join(words)!r}", where=f"{path}:{number}", expected="x y(, z)"
        ) from error


def _tensor(rows: list[tuple[int, Row]], path: Path) -> Tensor:
    """Points (N, D) of numbered rows that all have 2 or all have 3 finite numbers."""
    if not rows:
        raise LandmarkError("there are no landmarks", where=str(path))
    dimension = len(rows[0][1])
    for number, row in rows:
        if len(row) != dimension or dimension not in (2, 3):
            raise LandmarkError(
                f"{len(row)} numbers", where=f"{path}:{number}", expected="2 or 3 coordinates, the same in every line"
            )
    points = torch.tensor([row for _, row in rows], dtype=torch.float64)
    if not bool(points.isfinite().all()):
        raise LandmarkError("a coordinate is NaN or infinite", where=str(path))
    return points


def _to_lps(points: Tensor, system: str, path: Path) -> Tensor:
    """Points of a file whose coordinate system is LPS or RAS (old Slicer files: 1 or 0)."""
    name = system.strip().upper()
    if name in ("LPS", "1"):
        return points
    if name in ("RAS", "0"):
        return points * torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64)
    raise LandmarkError(f'unknown coordinate system "{system}"', where=str(path), expected="LPS or RAS")


def _markups(text: str, path: Path) -> Landmarks:
    def take(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise LandmarkError(f"not a Slicer markups file: {error!r}", where=str(path)) from error

    markups = take(lambda: json.loads(text)["markups"])
    rows: list[Tensor] = []
    labels: list[str] = []
    for markup in markups:
        points = take(lambda markup=markup: markup["controlPoints"])
        if not points:
            continue
        positions = take(lambda points=points: [(k, tuple(map(float, p["position"]))) for k, p in enumerate(points)])
        rows.append(_to_lps(_tensor(positions, path), str(markup.get("coordinateSystem", "LPS")), path))
        labels += [str(point.get("label", "")) for point in points]
    if not rows:
        raise LandmarkError("there are no control points", where=str(path))
    return Landmarks(torch.cat(rows), tuple(labels), str(path))


def _fiducials(text: str, path: Path) -> Landmarks:
    system, columns = "0", ["id", "x", "y", "z"]
    rows: list[tuple[int, Row]] = []
    labels: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
            if key.strip() == "CoordinateSystem":
                system = value
            elif key.strip() == "columns":
                columns = [column.strip() for column in value.split(",")]
            continue
        if not line.strip():
            continue
        cells = dict(zip(columns, next(csv.reader([line]))))
        rows.append((number, _numbers([cells.get(axis, "") for axis in "xyz"], path, number)))
        labels.append(cells.get("label", cells.get("id", "")))
    return Landmarks(_to_lps(_tensor(rows, path), system, path), tuple(labels), str(path))


def _table(text: str, path: Path) -> Landmarks:
    reader = csv.DictReader(text.splitlines())
    names = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    axes = [names[axis] for axis in "xyz" if axis in names]
    if len(axes) < 2:
        raise LandmarkError(
            f"the columns are {', '.join(names) or 'missing'}",
            where=f"{path}:1",
            expected="columns x, y and, in 3-D, z",
        )
    rows = [(k, _numbers([row[axis] or "" for axis in axes], path, k)) for k, row in enumerate(reader, 2)]
    return Landmarks(_tensor(rows, path), None, str(path))
