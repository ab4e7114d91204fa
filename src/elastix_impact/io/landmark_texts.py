"""Landmarks as the text of a file: elastix's form, 3D Slicer's markups, tables. `landmark_formats` reads them."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from elastix_impact.errors import OutputError
from elastix_impact.geometry.grid import Row

_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
_FCSV_HEAD = """\
# Markups fiducial file version = 4.11
# CoordinateSystem = LPS
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
"""


def landmark_text(path: Path, points: Sequence[Row], labels: Sequence[str] | None) -> str:
    """World points in mm (LPS) as the text of a file at `path`, whose suffix decides the form.

    ``.json`` is 3D Slicer's markups, ``.fcsv`` its old form, ``.csv`` a table, everything else elastix's form, which
    has no labels.

    Raises
    ------
    OutputError
        If points of two dimensions shall go into one of 3D Slicer's forms.
    """
    name = path.name.lower()
    forms: dict[str, Callable[[Sequence[Row], Sequence[str]], str]] = {".json": _markups, ".fcsv": _fiducials}
    form = next((form for suffix, form in forms.items() if name.endswith(suffix)), None)
    if form is not None:
        if any(len(point) != 3 for point in points):
            raise OutputError("3D Slicer's files hold points of 3 dimensions only", where=str(path), remedy="Use .csv")
        return form(points, labels or [str(number) for number in range(1, len(points) + 1)])
    return _table(points, labels) if name.endswith(".csv") else _elastix_points(points)


def _elastix_points(points: Sequence[Row]) -> str:
    rows = [" ".join(repr(c) for c in point) for point in points]
    return "\n".join(["point", str(len(rows)), *rows]) + "\n"


def _markups(points: Sequence[Row], labels: Sequence[str]) -> str:
    controls = [
        {"id": str(number), "label": label, "position": list(point), "positionStatus": "defined"}
        for number, (label, point) in enumerate(zip(labels, points), 1)
    ]
    markup = {"type": "Fiducial", "coordinateSystem": "LPS", "coordinateUnits": "mm", "controlPoints": controls}
    return json.dumps({"@schema": _SCHEMA, "markups": [markup]}, indent=1) + "\n"


def _fiducials(points: Sequence[Row], labels: Sequence[str]) -> str:
    rows = [
        [str(number), *(repr(c) for c in point), "0", "0", "0", "1", "1", "1", "0", label, "", ""]
        for number, (label, point) in enumerate(zip(labels, points), 1)
    ]
    return _FCSV_HEAD + _joined(rows)


def _table(points: Sequence[Row], labels: Sequence[str] | None) -> str:
    head = [*"xyz"[: len(points[0])], *(["label"] if labels else [])]
    rows = [[repr(c) for c in point] for point in points]
    if labels:
        rows = [[*row, label] for row, label in zip(rows, labels)]
    return _joined([head, *rows])


def _joined(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
