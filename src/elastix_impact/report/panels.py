"""Single pictures of a report: overlays, checkerboards, grids, maps of the displacement and the Jacobian."""

import math
from dataclasses import dataclass
from typing import final

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from .encode import jpeg_of, pixel_figure
from .planes import Plane
from .slices import FieldSlice

SQUARES = 8
"""Of a checkerboard along the longer side."""

FOLD_COLOUR = (1.0, 0.0, 1.0)
JACOBIAN_COLOURS = "RdBu"
DISPLACEMENT_COLOURS = "viridis"


@final
@dataclass(frozen=True)
class Panel:
    """A picture with its caption, what it shows in words, and the patient's sides."""

    uri: str
    caption: str
    alt: str
    plane: Plane


def grey(plane: Plane, values: Tensor, caption: str, alt: str, mark: tuple[float, float] | None = None) -> Panel:
    """A plane of an image; `values` (rows, columns) from 0 to 1."""
    return _picture(plane, values.unsqueeze(-1).expand(-1, -1, 3), caption, alt, mark)


def overlay(
    plane: Plane, fixed: Tensor, moving: Tensor, caption: str, alt: str, mark: tuple[float, float] | None = None
) -> Panel:
    """Fixed in magenta, moving in green: grey where they agree. Both (rows, columns) from 0 to 1."""
    return _picture(plane, torch.stack([fixed, moving, fixed], dim=-1), caption, alt, mark)


def checkerboard(
    plane: Plane, fixed: Tensor, moving: Tensor, caption: str, alt: str, mark: tuple[float, float] | None = None
) -> Panel:
    """Squares of the fixed image and of the moving one in turn: edges should run on."""
    rows, columns = fixed.shape
    side = max(1, math.ceil(max(rows, columns) / SQUARES))
    is_fixed = (torch.arange(rows).unsqueeze(1) // side + torch.arange(columns) // side) % 2 == 0
    return _picture(plane, torch.where(is_fixed, fixed, moving).unsqueeze(-1).expand(-1, -1, 3), caption, alt, mark)


def _picture(plane: Plane, rgb: Tensor, caption: str, alt: str, mark: tuple[float, float] | None) -> Panel:
    figure, axes = pixel_figure(*plane.size)
    axes.imshow(rgb.numpy(), interpolation="nearest")
    if mark is not None:
        radius = max(plane.size) / 30
        axes.add_patch(Circle(mark, radius, fill=False, color="#ffd400", linewidth=1.2))
    return Panel(jpeg_of(figure), caption, alt, plane)


def deformation_grid(field: FieldSlice, fixed: Tensor, distance: float, caption: str, alt: str) -> Panel:
    """Lines of the moving image's world, `distance` mm apart, as they lie on the fixed image."""
    figure, axes = _background(field.plane, fixed, 0.55)
    step = field.plane.grid.spacing[0]
    rows, columns = field.determinant.shape
    across = torch.arange(columns) * step + field.displacement[..., 0]
    down = torch.arange(rows).unsqueeze(1) * step + field.displacement[..., 1]
    for coordinate in (across, down):
        low, high = float(coordinate.min()), float(coordinate.max())
        levels = [k * distance for k in range(math.ceil(low / distance), math.floor(high / distance) + 1)]
        if levels and high > low:
            axes.contour(coordinate.numpy(), levels=levels, colors="#ffd400", linewidths=0.7, linestyles="solid")
    return Panel(jpeg_of(figure), caption, alt, field.plane)


def displacement_map(field: FieldSlice, fixed: Tensor, largest: float, caption: str, alt: str) -> Panel:
    """Length of the displacement in mm over the fixed image; `largest` has the last colour."""
    figure, axes = _background(field.plane, fixed, 1.0)
    length = torch.linalg.vector_norm(field.displacement, dim=-1)
    axes.imshow(length.numpy(), cmap=DISPLACEMENT_COLOURS, vmin=0, vmax=largest, alpha=0.65)
    return Panel(jpeg_of(figure), caption, alt, field.plane)


def jacobian_map(field: FieldSlice, spread: float, caption: str, alt: str) -> Panel:
    """The determinant from 1 - `spread` (red: shrinks) to 1 + `spread` (blue: grows); folds in magenta."""
    figure, axes = pixel_figure(*field.plane.size)
    axes.imshow(field.determinant.numpy(), cmap=JACOBIAN_COLOURS, vmin=1 - spread, vmax=1 + spread)
    folded = field.determinant <= 0
    if bool(folded.any()):
        layer = torch.zeros(*folded.shape, 4)
        layer[folded] = torch.tensor([*FOLD_COLOUR, 1.0])
        axes.imshow(layer.numpy(), interpolation="nearest")
    return Panel(jpeg_of(figure), caption, alt, field.plane)


def _background(plane: Plane, fixed: Tensor, brightness: float) -> tuple[Figure, Axes]:
    figure, axes = pixel_figure(*plane.size)
    axes.imshow((brightness * fixed).numpy(), cmap="gray", vmin=0, vmax=1)
    return figure, axes
