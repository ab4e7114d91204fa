"""Outlines of labelled structures in a plane, as SVG paths that stay sharp at every size."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, final

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from .encode import layer_svg
from .planes import Plane

Line = Literal["area", "dashed", "solid"]


@final
@dataclass(frozen=True)
class Outline:
    """Where a structure ends in a plane: path data in pixels, its colour, how it is drawn, and what it is."""

    path: str
    colour: str
    line: Line
    name: str


def outline_path(labels: Tensor, label: int) -> str:
    """SVG path data around the pixels of `label` in `labels` (rows, columns); empty if there are none.

    x runs over columns, y over rows; the pixel in row r and column c is the square around (c, r).
    """
    rows, columns = np.nonzero((labels == label).numpy())
    if len(rows) == 0:
        return ""
    low = rows.min(), columns.min()
    region = np.zeros((int(rows.max() - low[0]) + 3, int(columns.max() - low[1]) + 3))
    region[rows - low[0] + 1, columns - low[1] + 1] = 1.0
    contour = Figure().subplots().contour(region, levels=[0.5])
    polygons = contour.get_paths()[0].to_polygons()
    offset = np.array([low[1] - 1, low[0] - 1])
    return "".join(_closed(_corners(np.asarray(polygon)[:-1]) + offset) for polygon in polygons)


def _corners(points: np.ndarray) -> np.ndarray:
    """A closed polygon (N, 2) without the points in the middle of straight pieces."""
    ahead, behind = np.roll(points, -1, axis=0) - points, points - np.roll(points, 1, axis=0)
    bends = np.abs(ahead[:, 0] * behind[:, 1] - ahead[:, 1] * behind[:, 0]) > 1e-9
    return points[bends]


def _closed(points: np.ndarray) -> str:
    """A closed polygon (N, 2) as path data: its first point, then steps, to a tenth of a pixel."""
    tenths = np.rint(points * 10).astype(int)
    words = [f"{_tenth(x)},{_tenth(y)}" for x, y in (tenths[0], *np.diff(tenths, axis=0))]
    return f"M{words[0]}l{' '.join(words[1:])}z"


def _tenth(value: int) -> str:
    return f"{value / 10:g}"


def outlines_svg(plane: Plane, outlines: Sequence[Outline], alt: str) -> str:
    """The outlines over a picture of the plane, each with its name for the pointer."""
    paths = "".join(
        f'<path class="{one.line}" d="{one.path}" stroke="{one.colour}"'
        f' fill="{one.colour if one.line == "area" else "none"}"><title>{escape(one.name)}</title></path>'
        for one in outlines
        if one.path
    )
    return layer_svg(plane.size, paths, alt)
