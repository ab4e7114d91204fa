"""The pictures of a report: the images before and after, near the worst landmark, and the deformation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Row
from elastix_impact.geometry.image import Image
from elastix_impact.transforms.base import AbstractTransform

from .charts import colour_bar
from .finished_run import FinishedRun, LandmarkRow
from .panels import (
    DISPLACEMENT_COLOURS,
    JACOBIAN_COLOURS,
    Panel,
    checkerboard,
    deformation_grid,
    displacement_map,
    grey,
    jacobian_map,
    overlay,
)
from .planes import planes_through
from .slices import FieldSlice, ImageSlice, field_slice, image_slice, shade, window

ZOOM = 90.0
"""Side in mm of the pictures around the worst landmark."""

GRID_LINES = 28
"""About so many lines of a deformation grid lie along the longest side of the image."""

LEAST_SPREAD = 0.1
"""Smallest half width of the Jacobian's colour scale around 1."""


@final
@dataclass(frozen=True)
class Pictures:
    """Rows of panels, one row per plane, under a heading; `bars` are colour scales as SVG."""

    title: str
    text: str
    rows: tuple[tuple[Panel, ...], ...]
    bars: tuple[str, ...] = ()


@final
@dataclass(frozen=True, eq=False)
class _Shown:
    """What can be shown: both images and the transform."""

    fixed: Image
    moving: Image
    initial: AbstractTransform | None
    transform: AbstractTransform
    windows: tuple[tuple[float, float], tuple[float, float]]


def pictures_of(run: FinishedRun) -> tuple[Pictures, ...]:
    """All pictures that the run's folder and images allow."""
    if run.fixed is None or run.moving is None or run.transform is None:
        return ()
    centre = _middle(run.fixed, run.fixed_mask)
    planes = planes_through(run.fixed.grid, centre)
    slices = [image_slice(plane, run.fixed, run.moving, run.initial, run.transform) for plane in planes]
    fixed = window([one.fixed for one in slices])
    moving = window([values for one in slices for values in (one.before, one.after)])
    shown = _Shown(run.fixed, run.moving, run.initial, run.transform, (fixed, moving))
    found = [
        Pictures("The images", "", tuple(_images(shown, one) for one in slices)),
        Pictures(
            "Before and after",
            "Overlays: the fixed image in magenta, the moving one in green, grey where they agree. Checkerboards: "
            "squares of both in turn; edges should run on from square to square.",
            tuple(_comparison(shown, one, None) for one in slices),
        ),
    ]
    if run.landmarks:
        found.append(_worst_landmark(shown, max(run.landmarks, key=lambda row: row.after)))
    return (*found, _deformation(shown, slices))


def _middle(fixed: Image, mask: Image | None) -> Row:
    """The middle of the mask, or of the image, world mm."""
    if mask is None:
        return fixed.grid.centre
    inside = mask.data.nonzero().double()
    middle = ((inside.min(0).values + inside.max(0).values) / 2).flip(0).unsqueeze(0)
    return tuple(fixed.grid.to_world(middle)[0].tolist())


def _images(shown: _Shown, one: ImageSlice) -> tuple[Panel, ...]:
    fixed, moving = shown.windows
    name = one.plane.name
    return tuple(
        grey(one.plane, shade(values, limits), caption, f"{name} plane of the {what}")
        for values, limits, caption, what in (
            (one.fixed, fixed, "fixed", "fixed image"),
            (one.before, moving, "moving, before", "moving image before the registration, on the fixed grid"),
            (one.after, moving, "moving, registered", "registered moving image"),
        )
    )


def _comparison(shown: _Shown, one: ImageSlice, mark: tuple[float, float] | None) -> tuple[Panel, ...]:
    fixed = shade(one.fixed, shown.windows[0])
    panels = []
    for draw, how in ((overlay, "overlay"), (checkerboard, "checkerboard")):
        for values, when in ((one.before, "before"), (one.after, "after")):
            alt = f"{one.plane.name} plane: {how} of the fixed and the moving image {when} the registration"
            panels.append(draw(one.plane, fixed, shade(values, shown.windows[1]), f"{how} {when}", alt, mark))
    return tuple(panels)


def _worst_landmark(shown: _Shown, row: LandmarkRow) -> Pictures:
    planes = planes_through(shown.fixed.grid, row.fixed_point, extent=ZOOM)
    return Pictures(
        f"At the worst landmark, {row.name}",
        f"Its error is {row.after:.2f} mm, and was {row.before:.2f} mm. The ring marks it in the fixed image; each "
        f"picture is {ZOOM:g} mm wide, or as wide as the image.",
        tuple(
            _comparison(
                shown,
                image_slice(plane, shown.fixed, shown.moving, shown.initial, shown.transform),
                plane.to_pixel(row.fixed_point),
            )
            for plane in planes
        ),
    )


def _deformation(shown: _Shown, slices: Sequence[ImageSlice]) -> Pictures:
    fields = [field_slice(one.plane, shown.transform) for one in slices]
    largest = max(float(torch.linalg.vector_norm(one.displacement, dim=-1).max()) for one in fields) or 1.0
    backgrounds = [shade(one.fixed, shown.windows[0]) for one in slices]
    distance = _round_distance(max(max(shown.fixed.grid.extent) / GRID_LINES, 1e-3))
    rows = [_motion(field, fixed, largest, distance) for field, fixed in zip(fields, backgrounds)]
    bars = [colour_bar(DISPLACEMENT_COLOURS, 0, largest, "displacement [mm]")]
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


def _motion(field: FieldSlice, fixed: Tensor, largest: float, distance: float) -> tuple[Panel, ...]:
    name = field.plane.name
    return (
        deformation_grid(
            field,
            fixed,
            distance,
            f"grid, lines every {distance:g} mm",
            f"{name} plane: deformed grid over the fixed image",
        ),
        displacement_map(field, fixed, largest, "displacement", f"{name} plane: length of the displacement"),
    )


def _jacobian(field: FieldSlice, spread: float) -> Panel:
    alt = f"{field.plane.name} plane: Jacobian determinant of the transform"
    return jacobian_map(field, spread, "Jacobian determinant", alt)
