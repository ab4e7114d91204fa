"""The pictures of the deformation: grids, displacements, Jacobian determinants."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from elastix_impact.io.scale import LengthUnit

from .charts import colour_bar
from .panels import (
    DISPLACEMENT_COLOURS,
    JACOBIAN_COLOURS,
    Panel,
    deformation_grid,
    displacement_map,
    jacobian_map,
)
from .shown import Pictures, Shown
from .slices import FieldSlice, ImageSlice, field_slice, shade

GRID_LINES = 28
"""About so many lines of a deformation grid lie along the longest side of the image."""

LEAST_SPREAD = 0.1
"""Smallest half width of the Jacobian's colour scale around 1."""


def deformation_pictures(shown: Shown, slices: Sequence[ImageSlice]) -> Pictures:
    """The transform on every plane; what of it is linear has no map of its determinant."""
    unit = shown.unit
    fields = [field_slice(one.plane, shown.transform) for one in slices]
    largest = max(float(torch.linalg.vector_norm(one.displacement, dim=-1).max()) for one in fields) or 1.0
    backgrounds = [shade(one.fixed, shown.windows[0]) for one in slices]
    distance = _round_distance(max(unit.of(max(shown.fixed.grid.extent)) / GRID_LINES, 1e-3))
    rows = [_motion(field, fixed, largest, distance, unit) for field, fixed in zip(fields, backgrounds)]
    bars = [colour_bar(DISPLACEMENT_COLOURS, 0, unit.of(largest), f"displacement [{unit.name}]")]
    text = "From the fixed to the moving image, initial transform included. The grid is straight in the moving image."
    if shown.transform.is_linear:
        determinant = float(fields[0].determinant.flatten()[0])
        return Pictures(
            "The deformation",
            f"{text} Its Jacobian determinant is {determinant:.4f} everywhere.",
            tuple(rows),
            (*bars,),
        )
    spread = max(LEAST_SPREAD, _spread(fields))
    folds = any(bool((one.determinant <= 0).any()) for one in fields)
    return Pictures(
        "The deformation",
        f"{text} The Jacobian determinant is 1 where volume stays, below 1 where the moving image is smaller (red), "
        "above where it is larger (blue). " + ("Folds are magenta." if folds else "No pixel shown is folded."),
        tuple((*row, _jacobian(field, spread)) for row, field in zip(rows, fields)),
        (*bars, colour_bar(JACOBIAN_COLOURS, 1 - spread, 1 + spread, "Jacobian determinant")),
    )


def _round_distance(wanted: float) -> float:
    """The one of 1, 2, 5, 10, 20, ... that is nearest, by ratio."""
    power = 10 ** math.floor(math.log10(wanted))
    return min((1 * power, 2 * power, 5 * power, 10 * power), key=lambda one: abs(math.log(one / wanted)))


def _spread(fields: Sequence[FieldSlice]) -> float:
    """How far from 1 the determinants of all but the outermost per cent lie, 1 at most."""
    away = torch.cat([(one.determinant - 1).abs().flatten() for one in fields])
    return min(1.0, float(away.quantile(0.99)))


def _motion(field: FieldSlice, fixed: Tensor, largest: float, distance: float, unit: LengthUnit) -> tuple[Panel, ...]:
    name = field.plane.name
    return (
        deformation_grid(
            field,
            fixed,
            distance * unit.size_mm,
            f"grid, lines every {distance:g} {unit.name}",
            f"{name} plane: deformed grid over the fixed image",
        ),
        displacement_map(field, fixed, largest, "displacement", f"{name} plane: length of the displacement"),
    )


def _jacobian(field: FieldSlice, spread: float) -> Panel:
    alt = f"{field.plane.name} plane: Jacobian determinant of the transform"
    return jacobian_map(field, spread, "Jacobian determinant", alt)
