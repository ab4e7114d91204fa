"""The structures of both images as outlines on the slices, before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from elastix_impact.geometry.image import Image

from .contours import Outline, outlines_svg
from .panels import Panel, grey
from .planes import Plane
from .shown import Pictures, Shown
from .slices import ImageSlice, shade
from .structures import LabelSlice, Structure, drawn_structures, label_slice, outlines_of

_TEXT = (
    "Areas: the structures of the fixed image. Dashed lines: those of the moving image before the registration, solid "
    "lines: after it; a solid line should run along the edge of its area. The slices are those "
    "that cut most structures."
)


def structure_pictures(
    shown: Shown, labels: tuple[Image, Image], slices: Sequence[ImageSlice], scores: Sequence[Mapping[str, Any]]
) -> Pictures | None:
    """Outlines on every plane; None if no structure is in view."""
    found = [label_slice(one.plane, labels, shown.initial, shown.transform) for one in slices]
    drawn = drawn_structures(found, scores)
    if not drawn:
        return None
    hidden = len(scores) - len(drawn)
    more = f" Drawn are {len(drawn)} of {len(scores)}, those in view that overlap worst." if hidden else ""
    return Pictures(
        "Structures, before and after",
        _TEXT + more,
        tuple(_row(shown, image, one, drawn) for image, one in zip(slices, found)),
        note=shown.window_words,
        legend=drawn,
    )


def _row(shown: Shown, image: ImageSlice, labels: LabelSlice, drawn: Sequence[Structure]) -> tuple[Panel, ...]:
    fixed, moving = shown.windows
    areas = outlines_of(labels.fixed, drawn, "area", "fixed")
    before = outlines_of(labels.before, drawn, "dashed", "moving, before")
    after = outlines_of(labels.after, drawn, "solid", "moving, registered")
    plane = image.plane
    background, registered = shade(image.fixed, fixed), shade(image.after, moving)
    return (
        _panel(plane, background, (*areas, *before), "fixed; structures before", "fixed image, structures before"),
        _panel(plane, background, (*areas, *after), "fixed; structures after", "fixed image, structures after"),
        _panel(plane, registered, after, "registered, its structures", "registered image, its structures"),
    )


def _panel(plane: Plane, values: Tensor, outlines: Sequence[Outline], caption: str, what: str) -> Panel:
    alt = f"{plane.name} plane of the {what}"
    return replace(grey(plane, values, caption, alt), svg=outlines_svg(plane, outlines, f"Outlines: {alt}"))
