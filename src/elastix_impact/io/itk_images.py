"""SimpleITK's images in memory, there and back."""

from pathlib import Path
from typing import Any

import SimpleITK as sitk

from elastix_impact.geometry.image import Image

from .atomic import output_errors


def is_itk_image(given: object) -> bool:
    """Whether it is a SimpleITK image."""
    return isinstance(given, sitk.Image)


def write_itk_image(path: Path, image: Any) -> None:
    """Write a SimpleITK image as it is; raises OutputError."""
    with output_errors(path):
        sitk.WriteImage(image, str(path))


def to_itk_image(image: Image) -> sitk.Image:
    """A SimpleITK image of the same numbers at the same place."""
    found = sitk.GetImageFromArray(image.data.cpu().numpy())
    found.SetSpacing(image.grid.spacing)
    found.SetOrigin(image.grid.origin)
    found.SetDirection([value for row in image.grid.direction for value in row])
    return found
