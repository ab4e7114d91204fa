"""What landmark files of every form hold: elastix's point files, 3D Slicer's markups, tables."""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch

from elastix_impact.errors import LandmarkError
from elastix_impact.geometry.grid import Row
from elastix_impact.typing import Points

from .plain_number import plain_number

_COMMENTS = ("#", "//")
_FCSV_COLUMNS = ["id", "x", "y", "z", "ow", "ox", "oy", "oz", "vis", "sel", "lock", "label"]
_RAS_TO_LPS = (-1.0, -1.0, 1.0)


@final
@dataclass(frozen=True, eq=False)
class PointTable:
    """Points as a file gives them: float64 (N, D), in mm (LPS), or voxel indices where `are_indices`."""

    points: Points
    labels: tuple[str, ...] | None = None
    are_indices: bool = False


def parse_points(text: str, path: Path) -> PointTable:
    """The points in a landmark file's text; its form is known by the suffix of `path`.

    Raises
    ------
    LandmarkError
        If there are none, or one is malformed (with its line).
    """
    name = path.name.lower()
    if name.endswith(".json"):
        return _markups(text, path)
    if name.endswith(".fcsv"):
        return _fiducials(text, path)
    if name.endswith(".csv"):
        return _table(text, path)
    return _elastix_points(text, path)


def _elastix_points(text: str, path: Path) -> PointTable:
    lines = [(number, _without_comment(line).split()) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, words) for number, words in lines if words]
    if not lines:
        raise LandmarkError("the landmark file is empty", where=str(path), expected='"point", their number, the points')
    first_number, first = lines[0]
    kind = first[0].lower() if first[0].lower() in ("point", "index") else None
    if kind:
        lines = [(first_number, first[1:]), *lines[1:]] if first[1:] else lines[1:]
    number, words = lines[0] if lines else (first_number, ["the", "end", "of", "the", "file"])
    if len(words) != 1 or not words[0].isdecimal():
        raise LandmarkError(
            f"the number of points is missing, found {' '.join(words)!r}",
            where=f"{path}:{number}",
            expected='"point" or "index", then their number, then a line per point',
        )
    if len(lines) - 1 != int(words[0]):
        raise LandmarkError(
            f"{words[0]} points are announced and {len(lines) - 1} follow",
            where=f"{path}:{number}",
            remedy="Correct the number in the file",
        )
    places = [(f"{path}:{line}", coordinates) for line, coordinates in lines[1:]]
    rows = [(where, _row(coordinates, where)) for where, coordinates in places]
    return PointTable(_points(rows, path), are_indices=kind != "point")


def _without_comment(line: str) -> str:
    for mark in _COMMENTS:
        line = line.partition(mark)[0]
    return line


def _markups(text: str, path: Path) -> PointTable:
    """Slicer's markups, schema version 1: all control points of all markups in the file."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise LandmarkError(f"not valid JSON: {error.msg}", where=f"{path}:{error.lineno}") from error
    try:
        found = [
            (_sign(str(markup.get("coordinateSystem", "LPS")), str(path)), point, point.get("label", ""))
            for markup in document["markups"]
            for point in markup["controlPoints"]
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise LandmarkError(
            "not a Slicer markups file",
            where=str(path),
            expected='"markups" with "controlPoints" that have a "position"',
        ) from error
    places = [(f"{path}: control point {k}", point, sign) for k, (sign, point, _) in enumerate(found, 1)]
    rows = [(where, _position(point, sign, where)) for where, point, sign in places]
    return PointTable(_points(rows, path), tuple(str(label) for _, _, label in found))


def _position(point: dict[str, Any], sign: Row, where: str) -> Row:
    """The LPS position in mm of one control point."""
    position = point.get("position")
    if not isinstance(position, list) or point.get("positionStatus", "defined") != "defined":
        raise LandmarkError(
            f'"{point.get("label", "")}" has no position', where=where, remedy="Place it in Slicer, or delete it"
        )
    return _signed(_row([str(coordinate) for coordinate in position], where), sign, where)


def _fiducials(text: str, path: Path) -> PointTable:
    """Slicer's old form; without a header its coordinates are RAS."""
    sign, columns, says_columns = _RAS_TO_LPS, _FCSV_COLUMNS, False
    rows: list[tuple[str, Row]] = []
    labels: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{path}:{number}"
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
            if key.strip() == "CoordinateSystem":
                sign = _sign(value, where)
            elif key.strip() == "columns":
                columns, says_columns = [column.strip() for column in value.split(",")], True
        elif line.strip():
            words = _cells(line, where)
            cells = _by_column(columns, words, where) if says_columns else dict(zip(columns, words))
            rows.append((where, _signed(_row([cells.get(axis, "") for axis in "xyz"], where), sign, where)))
            labels.append(cells.get("label", cells.get("id", "")))
    return PointTable(_points(rows, path), tuple(labels))


def _sign(system: str, where: str) -> Row:
    """What coordinates in this system are multiplied by to become LPS (old Slicer files: 0 = RAS, 1 = LPS)."""
    name = system.strip().upper()
    if name in ("LPS", "1"):
        return (1.0, 1.0, 1.0)
    if name in ("RAS", "0"):
        return _RAS_TO_LPS
    raise LandmarkError(f'unknown coordinate system "{system.strip()}"', where=where, expected="LPS or RAS")


def _signed(row: Row, sign: Row, where: str) -> Row:
    if len(row) != 3:
        raise LandmarkError(f"{len(row)} numbers", where=where, expected="3 coordinates")
    return tuple(s * c for s, c in zip(sign, row))


def _table(text: str, path: Path) -> PointTable:
    """Columns x, y(, z) in mm (LPS) and perhaps label, in any order, separated by commas, semicolons or tabs.

    With the head ``,X,Y`` they are pixels, and the first column holds labels: the form of the histology collections
    CIMA and ANHIR (Borovec et al., IEEE TMI 2020).
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise LandmarkError("the landmark file is empty", where=str(path), expected="columns x, y and, in 3-D, z")
    head_number, head = lines[0]
    delimiter = next((mark for mark in ",;\t" if mark in head), ",")
    given = [name.strip() for name in _cells(head, f"{path}:{head_number}", delimiter)]
    is_of_histology, names = given == ["", "X", "Y"], [name.lower() for name in given]
    axes = [axis for axis in "xyz" if axis in names]
    if axes not in (["x", "y"], ["x", "y", "z"]):
        raise LandmarkError(
            f"the columns are {', '.join(names)}", where=f"{path}:{head_number}", expected="columns x, y and, in 3-D, z"
        )
    rows: list[tuple[str, Row]] = []
    labels: list[str] = []
    for number, line in lines[1:]:
        where = f"{path}:{number}"
        cells = _by_column(names, _cells(line, where, delimiter), where)
        rows.append((where, _row([cells.get(axis, "") for axis in axes], where)))
        labels.append(cells.get("label", cells.get("", "")).strip())
    labelled = "label" in names or is_of_histology
    return PointTable(_points(rows, path), tuple(labels) if labelled else None, are_indices=is_of_histology)


def _cells(line: str, where: str, delimiter: str = ",") -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error as error:
        raise LandmarkError(f"the line can't be split into cells: {error}", where=where) from error


def _by_column(columns: Sequence[str], cells: Sequence[str], where: str) -> dict[str, str]:
    """The cells of a line by their columns, which must be as many."""
    if len(cells) != len(columns):
        raise LandmarkError(
            f"the line has {len(cells)} cells, there are {len(columns)} columns",
            where=where,
            expected=",".join(columns),
            remedy="Correct the line: with a cell too few or too many, numbers stand in wrong columns",
        )
    return dict(zip(columns, cells))


def _row(words: Sequence[str], where: str) -> Row:
    """The finite numbers that the words are."""
    try:
        row = tuple(plain_number(word) for word in words)
    except ValueError as error:
        raise LandmarkError(f"no number in {' '.join(words)!r}", where=where, expected="x y(, z)") from error
    if not all(map(math.isfinite, row)):
        raise LandmarkError("a coordinate is NaN or infinite", where=where, remedy="Correct it, or delete the point")
    if len(row) not in (2, 3):
        raise LandmarkError(f"{len(row)} numbers", where=where, expected="2 or 3 coordinates")
    return row


def _points(rows: Sequence[tuple[str, Row]], path: Path) -> Points:
    """Points (N, D) of rows, each with its place in the file."""
    if not rows:
        raise LandmarkError("there are no landmarks", where=str(path), expected="a line per point")
    dimension = len(rows[0][1])
    for where, row in rows:
        if len(row) != dimension:
            raise LandmarkError(f"{len(row)} coordinates", where=where, expected=f"{dimension}, as in the first line")
    return torch.tensor([row for _, row in rows], dtype=torch.float64)
