"""What the pictures of a report are made from, and how they are grouped on the page."""

from dataclasses import dataclass
from typing import final

import torch

from elastix_impact.geometry.grid import Grid, Row
from elastix_impact.geometry.image import Image
from elastix_impact.io.scale import LengthUnit
from elastix_impact.transforms.base import AbstractTransform

from .finished_run import FinishedRun
from .panels import Panel
from .structures import Structure, fullest_point
from .windows import Window

PROBES = 40
"""Places along the longest side of the fixed image that are looked at for where the moving image is seen."""


@final
@dataclass(frozen=True)
class Pictures:
    """Rows of panels, one row per plane, under a heading.

    Attributes
    ----------
    note
        How the pictures are to be read, printed under them.
    bars
        Colour scales as SVG.
    legend
        The structures that are drawn.
    """

    title: str
    text: str
    rows: tuple[tuple[Panel, ...], ...]
    bars: tuple[str, ...] = ()
    note: str = ""
    legend: tuple[Structure, ...] = ()


@final
@dataclass(frozen=True, eq=False)
class Shown:
    """What can be shown: both images and the transform; lengths are told in `unit`."""

    fixed: Image
    moving: Image
    initial: AbstractTransform | None
    transform: AbstractTransform
    windows: tuple[Window, Window]
    unit: LengthUnit

    @property
    def window_words(self) -> str:
        """Which intensities are black and white."""
        fixed, moving = self.windows
        if fixed == moving:
            return f"Both images: {fixed.words}."
        return f"Fixed image: {fixed.words}. Moving image: {moving.words}."


def point_of_interest(run: FinishedRun, fixed: Image, moving: Image, transform: AbstractTransform) -> Row:
    """The world point in mm through which slices are shown.

    Where they cut most structures, else in the middle of the mask, else of what both images see.
    """
    if run.labels is not None:
        point = fullest_point(run.labels[0], run.scored_labels)
        if point is not None:
            return point
    if run.fixed_mask is not None:
        return _middle_of(run.fixed_mask.grid.to_world(run.fixed_mask.data.nonzero().double().flip(1)))
    places = _coarse_points(fixed.grid)
    index = moving.grid.to_index(transform.to(torch.float64).without_gradients().map_points(places))
    seen = ((index >= -0.5) & (index <= torch.tensor(moving.grid.size) - 0.5)).all(dim=1)
    return _middle_of(places[seen]) if bool(seen.any()) else fixed.grid.centre


def _middle_of(world_points: torch.Tensor) -> Row:
    """The middle between the outermost of the points (N, D)."""
    return tuple(((world_points.amin(0) + world_points.amax(0)) / 2).tolist())


def _coarse_points(grid: Grid) -> torch.Tensor:
    """World points (N, D) all over a grid, in mm."""
    step = max(grid.size) / PROBES
    lines = [torch.linspace(0, n - 1, max(2, round(n / step)), dtype=torch.float64) for n in grid.size]
    return grid.to_world(torch.cartesian_prod(*lines))
