"""SimpleITK's images in memory."""

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image

from .atomic import written_whole


def is_itk_image(given: object) -> bool:
    """Whether it is a SimpleITK image."""
    return isinstance(given, sitk.Image)


def write_itk_image(path: Path, image: Any) -> None:
    """Write a SimpleITK image as it is; raises OutputError."""
    with written_whole(path) as temporary:
        sitk.WriteImage(image, str(temporary))


def to_itk_image(image: Image) -> sitk.Image:
    """A SimpleITK image of the same numbers at the same place."""
    return itk_image_on(image.grid, image.data.cpu().numpy())


def itk_image_on(grid: Grid, array: np.ndarray, *, vector: bool = False) -> sitk.Image:
    """The SimpleITK image of an array ((z, )y, x), or with `vector` ((z, )y, x, C), on a grid."""
    image = sitk.GetImageFromArray(array, isVector=vector)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection([value for row in grid.direction for value in row])
    return image
