"""Pictures whose pixels have no real size, and the unit in which lengths are told then."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

from elastix_impact.geometry.image import Image

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")

SCREENS = {"72 dpi": 25.4 / 72, "28 per cm": 10 / 28, "96 dpi": 25.4 / 96, "38 per cm": 10 / 38}
"""Resolutions that programs write when they know none, and the mm of a pixel; JPEG has whole numbers only."""


@final
@dataclass(frozen=True)
class LengthUnit:
    """What lengths are told in: `name`, and how many mm one of it is."""

    name: Literal["mm", "px"] = "mm"
    size_mm: float = 1.0

    def of(self, millimetres: float) -> float:
        """A length in this unit."""
        return millimetres / self.size_mm


MILLIMETRES = LengthUnit()


def length_unit(name: str, spacing: Sequence[float]) -> LengthUnit:
    """Millimetres, or pixels if the file is a 2-D picture without a real scale.

    Parameters
    ----------
    name
        Path of the image's file.
    spacing
        As ITK reads it, mm: 1 where the file has no resolution, 0.353 where it says 72 dpi.

    Notes
    -----
    A picture has no real scale if its pixels are square and its resolution is missing or that of a screen.
    """
    is_picture = len(spacing) == 2 and name.lower().endswith(PICTURE_SUFFIXES)
    if not is_picture or not math.isclose(*spacing, rel_tol=1e-3) or resolution_words(spacing[0]) is None:
        return MILLIMETRES
    return LengthUnit("px", spacing[0])


def length_unit_of(image: Image) -> LengthUnit:
    """What lengths in an image's world are told in."""
    return length_unit(image.name, image.grid.spacing)


def resolution_words(spacing: float) -> str | None:
    """Why a spacing in mm says nothing, None if it says something."""
    if spacing == 1:
        return "its file names no resolution"
    screen = next((words for words, size in SCREENS.items() if math.isclose(spacing, size, rel_tol=1e-3)), None)
    return None if screen is None else f"its {screen} are a screen's"
