"""Single pictures of a report: overlays, checkerboards, grids, maps of the displacement and the Jacobian."""

import math
from dataclasses import dataclass
from typing import final

import torch
from matplotlib import colormaps
from torch import Tensor

from .encode import jpeg_of, jpeg_of_pixels, layer_svg, pixel_figure
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
    """A picture with its caption, what it shows in words, and the patient's sides; `svg` lies over it."""

    uri: str
    caption: str
    alt: str
    plane: Plane
    svg: str = ""


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
    return Panel(jpeg_of_pixels(rgb), caption, alt, plane, "" if mark is None else _ring(plane, mark))


def _ring(plane: Plane, place: tuple[float, float]) -> str:
    ring = f'<circle class="ring" cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="{max(plane.size) / 30:.1f}"/>'
    return layer_svg(plane.size, ring, "Ring around the landmark")


def deformation_grid(field: FieldSlice, fixed: Tensor, distance: float, caption: str, alt: str) -> Panel:
    """Lines of the moving image's world, `distance` mm apart, as they lie on the fixed image."""
    figure, axes = pixel_figure(*field.plane.size)
    axes.imshow((0.55 * fixed).numpy(), cmap="gray", vmin=0, vmax=1)
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
    length = torch.linalg.vector_norm(field.displacement, dim=-1)
    colours = _colours(DISPLACEMENT_COLOURS, length / largest)
    rgb = torch.lerp(fixed.double().unsqueeze(-1).expand(-1, -1, 3), colours, 0.65)
    return Panel(jpeg_of_pixels(rgb), caption, alt, field.plane)


def jacobian_map(field: FieldSlice, spread: float, caption: str, alt: str) -> Panel:
    """The determinant from 1 - `spread` (red: shrinks) to 1 + `spread` (blue: grows); folds in magenta."""
    colours = _colours(JACOBIAN_COLOURS, (field.determinant - 1 + spread) / (2 * spread))
    folded = (field.determinant <= 0).unsqueeze(-1)
    rgb = torch.where(folded, torch.tensor(FOLD_COLOUR, dtype=torch.float64), colours)
    return Panel(jpeg_of_pixels(rgb), caption, alt, field.plane)


def _colours(name: str, values: Tensor) -> Tensor:
    """Colours (rows, columns, 3) of values (rows, columns) from 0 to 1, float64."""
    return torch.from_numpy(colormaps[name](values.numpy())[..., :3])
