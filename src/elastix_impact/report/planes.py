"""The planes in which a report shows a volume: axial, coronal and sagittal, as a radiologist expects them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch

from elastix_impact.geometry.grid import Grid, Row
from elastix_impact.geometry.orient import reoriented_grid

LONGEST = 320
"""Pixels along the longer side of a plane."""

_LPS = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_WORDS = ("R", "L"), ("A", "P"), ("I", "S")
_VIEWS = {
    "axial": ((0, 1.0), (1, 1.0), 2),
    "coronal": ((0, 1.0), (2, -1.0), 1),
    "sagittal": ((1, 1.0), (2, -1.0), 0),
}
"""Per view: axis and sense to the right, axis and sense downwards, and the axis through the plane, of LPS."""


@final
@dataclass(frozen=True)
class Plane:
    """A plane through a volume.

    Attributes
    ----------
    name
        ``"axial"``, ``"coronal"``, ``"sagittal"``, or ``"image"`` of a 2-D image.
    grid
        The pixels, square, in mm: x to the right and y downwards on the page; of a volume one voxel thick.
    left, right, top, bottom
        Which way the patient's sides lie (R, L, A, P, I, S); empty of a 2-D image.
    """

    name: str
    grid: Grid
    left: str = ""
    right: str = ""
    top: str = ""
    bottom: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Pixels to the right and downwards."""
        return self.grid.size[0], self.grid.size[1]

    def to_pixel(self, world_point: Row) -> tuple[float, float]:
        """Where a world point in mm, or the point of the plane nearest to it, lies among the pixels."""
        column, row, *_ = self.grid.to_index(torch.tensor([world_point], dtype=torch.float64))[0].tolist()
        return column, row


def planes_through(grid: Grid, world_point: Row, *, extent: float | None = None) -> tuple[Plane, ...]:
    """The planes of `grid` through a world point in mm: three of a volume, one of a 2-D image.

    Parameters
    ----------
    extent
        Side in mm of a square about the point; None = the whole image.
    """
    if grid.dimension == 2:
        return (Plane("image", _pixels(grid, world_point, ((0, 1.0), (1, 1.0)), extent)),)
    ordered = reoriented_grid(grid, _LPS)
    return tuple(_view(ordered, world_point, name, extent) for name in _VIEWS)


def _view(ordered: Grid, world_point: Row, name: str, extent: float | None) -> Plane:
    right, down, through = _VIEWS[name]
    grid = _pixels(ordered, world_point, (right, down), extent, through)
    left_word, right_word = _WORDS[right[0]][:: int(right[1])]
    top_word, bottom_word = _WORDS[down[0]][:: int(down[1])]
    return Plane(name, grid, left_word, right_word, top_word, bottom_word)


def _pixels(
    grid: Grid, world_point: Row, axes: Sequence[tuple[int, float]], extent: float | None, through: int | None = None
) -> Grid:
    """Square pixels along two axes of `grid`, each in the sense of its sign, in the plane of the point."""
    used = [axis for axis, _ in axes]
    lengths = [grid.extent[axis] if extent is None else min(extent, grid.extent[axis]) for axis in used]
    step = max(max(lengths) / LONGEST, min(grid.spacing[axis] for axis in used) / 4)
    size = [max(1, round(length / step)) for length in lengths]
    index = grid.to_index(torch.tensor([world_point], dtype=torch.float64))[0]
    if extent is None:
        for axis in used:
            index[axis] = (grid.size[axis] - 1) / 2
    direction = torch.tensor(grid.direction, dtype=torch.float64)
    steps = torch.stack([direction[:, axis] * sign for axis, sign in axes])
    half = torch.tensor([(n - 1) / 2 * step for n in size], dtype=torch.float64)
    origin = grid.to_world(index.unsqueeze(0))[0] - half @ steps
    columns, sizes, spacing = list(steps), list(size), [step, step]
    if through is not None:
        columns.append(direction[:, through])
        sizes.append(1)
        spacing.append(grid.spacing[through])
    return Grid(
        tuple(sizes), tuple(spacing), tuple(origin.tolist()), tuple(map(tuple, torch.stack(columns, 1).tolist()))
    )
