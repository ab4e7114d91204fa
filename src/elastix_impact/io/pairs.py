"""Two images that belong together."""

import warnings
from pathlib import Path

from elastix_impact.errors import ImageError
from elastix_impact.geometry.image import Image

from .images import read_image
from .warning import InputWarning

MOST_TIMES_LARGER = 10.0
"""How much longer one image's longest side may be before a word is said: units are 1000 apart."""


def read_pair(fixed: Path, moving: Path) -> tuple[Image, Image]:
    """The images of two files, without their warnings: a run reads them again, and says it then.

    Raises
    ------
    ImageError
        If one can't be read, or they differ in dimension.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = read_image(fixed), read_image(moving)
        check_pair(*images)
    return images


def check_pair(fixed: Image, moving: Image) -> None:
    """Refuse two images of different dimension.

    Raises
    ------
    ImageError
        With both names and sizes.

    Warns
    -----
    InputWarning
        If one is far larger than the other, as where one file is in micrometres.
    """
    if fixed.grid.dimension != moving.grid.dimension:
        raise ImageError(
            f"the fixed image has {fixed.grid.dimension} dimensions (size {fixed.grid.size}), the moving image "
            f"{moving.name} has {moving.grid.dimension} (size {moving.grid.size})",
            where=fixed.name,
            expected="two images of the same dimension",
            remedy="Give a volume with a volume, or a slice with a slice",
        )
    longest = [max(image.grid.extent) for image in (fixed, moving)]
    if max(longest) >= MOST_TIMES_LARGER * min(longest):
        warnings.warn(
            f"{fixed.name} is {longest[0]:.4g} mm long, {moving.name} {longest[1]:.4g} mm: check their spacings, and "
            "the unit of each (NIfTI names one, other formats are taken as mm)",
            InputWarning,
            stacklevel=2,
        )
