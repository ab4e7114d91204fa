"""The pictures of a report: the images before and after, structures, near the worst landmark, the deformation."""

from torch import Tensor

from elastix_impact.io.scale import LengthUnit

from .deformation_pictures import deformation_pictures
from .finished_run import FinishedRun, LandmarkRow
from .panels import Panel, checkerboard, grey, overlay
from .planes import planes_through
from .shown import Pictures, Shown, point_of_interest
from .slices import ImageSlice, image_slice, shade
from .structure_pictures import structure_pictures
from .windows import windows_of

ZOOM_MM, ZOOM_PX = 90.0, 250.0
"""Side of the pictures around the worst landmark."""

COMPARISON = "Before and after"
"""The heading of overlays and checkerboards."""


def pictures_of(run: FinishedRun) -> tuple[Pictures, ...]:
    """All pictures that the run's folder and images allow."""
    if run.fixed is None or run.moving is None or run.transform is None:
        return ()
    planes = planes_through(run.fixed.grid, point_of_interest(run, run.fixed, run.moving, run.transform))
    slices = [image_slice(plane, run.fixed, run.moving, run.initial, run.transform) for plane in planes]
    moving = [values for one in slices for values in (one.before, one.after)]
    windows = windows_of((run.fixed, run.moving), ([one.fixed for one in slices], moving))
    shown = Shown(run.fixed, run.moving, run.initial, run.transform, windows, run.unit)
    found = [Pictures("The images", "", tuple(_images(shown, one) for one in slices), note=shown.window_words)]
    if run.labels is not None:
        drawn = structure_pictures(shown, run.labels, slices, run.scores)
        found += [] if drawn is None else [drawn]
    found.append(
        Pictures(
            COMPARISON,
            "Overlays: the fixed image in magenta, the moving one in green, grey where they agree. Checkerboards: "
            "squares of both in turn; edges should run on from square to square.",
            tuple(_comparison(shown, one, None) for one in slices),
            note=shown.window_words,
        )
    )
    if run.landmarks:
        found.append(_worst_landmark(shown, max(run.landmarks, key=lambda row: row.after)))
    return (*found, deformation_pictures(shown, slices))


def _images(shown: Shown, one: ImageSlice) -> tuple[Panel, ...]:
    fixed, moving = shown.windows
    name = one.plane.name
    return tuple(
        grey(one.plane, shade(values, limits), caption + _where(values), f"{name} plane of the {what}")
        for values, limits, caption, what in (
            (one.fixed, fixed, "fixed", "fixed image"),
            (one.before, moving, "moving, before", "moving image before the registration, on the fixed grid"),
            (one.after, moving, "moving, registered", "registered moving image"),
        )
    )


def _where(values: Tensor) -> str:
    return "" if bool(values.isfinite().any()) else " (lies outside this plane)"


def _comparison(shown: Shown, one: ImageSlice, mark: tuple[float, float] | None) -> tuple[Panel, ...]:
    fixed = shade(one.fixed, shown.windows[0])
    panels = []
    for draw, how in ((overlay, "overlay"), (checkerboard, "checkerboard")):
        for values, when in ((one.before, "before"), (one.after, "after")):
            alt = f"{one.plane.name} plane: {how} of the fixed and the moving image {when} the registration"
            panels.append(draw(one.plane, fixed, shade(values, shown.windows[1]), f"{how} {when}", alt, mark))
    return tuple(panels)


def _worst_landmark(shown: Shown, row: LandmarkRow) -> Pictures:
    unit, zoom = shown.unit, _zoom(shown.unit)
    planes = planes_through(shown.fixed.grid, row.fixed_point, extent=zoom * unit.size_mm)
    return Pictures(
        f"At the worst landmark, {row.name}",
        f"Its error is {unit.of(row.after):.2f} {unit.name}, and was {unit.of(row.before):.2f} {unit.name}. The ring "
        f"marks it in the fixed image; each picture is {zoom:g} {unit.name} wide, or as wide as the image.",
        tuple(
            _comparison(
                shown,
                image_slice(plane, shown.fixed, shown.moving, shown.initial, shown.transform),
                plane.to_pixel(row.fixed_point),
            )
            for plane in planes
        ),
        note=shown.window_words,
    )


def _zoom(unit: LengthUnit) -> float:
    return ZOOM_PX if unit.name == "px" else ZOOM_MM
