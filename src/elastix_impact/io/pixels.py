"""Component types of image files: elastix's names, SimpleITK's numbers, numpy's types."""

from typing import Any

import numpy as np
import SimpleITK as sitk

from elastix_impact.errors import InputError

_TYPES: dict[str, tuple[int, type[np.generic]]] = {
    "char": (sitk.sitkInt8, np.int8),
    "unsigned char": (sitk.sitkUInt8, np.uint8),
    "short": (sitk.sitkInt16, np.int16),
    "unsigned short": (sitk.sitkUInt16, np.uint16),
    "int": (sitk.sitkInt32, np.int32),
    "unsigned int": (sitk.sitkUInt32, np.uint32),
    "long": (sitk.sitkInt64, np.int64),
    "unsigned long": (sitk.sitkUInt64, np.uint64),
    "float": (sitk.sitkFloat32, np.float32),
    "double": (sitk.sitkFloat64, np.float64),
}

_OTHER_NAMES = {
    "ushort": "unsigned short",
    **{np.dtype(kind).name: name for name, (_, kind) in _TYPES.items()},
}
"""elastix 5.3 also knows the types by their width."""


def numpy_type(pixel_type: str) -> np.dtype[Any]:
    """The numpy type of one of elastix's ``ResultImagePixelType`` names.

    Raises
    ------
    InputError
        If there is no such type.
    """
    name = _OTHER_NAMES.get(pixel_type, pixel_type)
    if name not in _TYPES:
        raise InputError(
            f'there is no pixel type "{pixel_type}"', where="ResultImagePixelType", expected=", ".join(_TYPES)
        )
    return np.dtype(_TYPES[name][1])


def pixel_type_of(image: sitk.Image) -> str:
    """The name, in elastix's words, of the type of an image's components, ``"float"`` for types that have none."""
    number = image.GetPixelID()
    scalar = sitk.GetArrayViewFromImage(image).dtype if number not in {n for n, _ in _TYPES.values()} else None
    for name, (itk_number, kind) in _TYPES.items():
        if itk_number == number or (scalar is not None and np.dtype(kind) == scalar):
            return name
    return "float"


def is_colour(image: sitk.Image) -> bool:
    """Whether it looks like RGB or RGBA: 3 or 4 small unsigned integers per voxel (a displacement has floats)."""
    colours = (sitk.sitkVectorUInt8, sitk.sitkVectorUInt16)
    return image.GetNumberOfComponentsPerPixel() in (3, 4) and image.GetPixelID() in colours


def is_complex(image: sitk.Image) -> bool:
    """Whether its voxels are complex numbers."""
    return image.GetPixelID() in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64)
