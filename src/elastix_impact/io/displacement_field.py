"""Displacement fields: ITK's transforms of that kind, and images of vectors such as ANTs' ``1Warp.nii.gz``."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from elastix_impact.errors import ImageError, TransformFileError
from elastix_impact.geometry.grid import Grid
from elastix_impact.transforms.displacement_field import DisplacementFieldTransform
from elastix_impact.typing import FeatureVolume

from .formats import KNOWN_SUFFIXES
from .images import grid_of, read_file
from .itk_images import itk_image_on


def is_field_file(path: Path) -> bool:
    """Whether the name is that of an image."""
    return path.name.lower().endswith(KNOWN_SUFFIXES)


def read_displacement_field(path: Path) -> DisplacementFieldTransform:
    """The transform in an image whose voxels are displacements in mm (ITK's LPS frame), float64.

    Raises
    ------
    TransformFileError
        If the file is missing or damaged, its voxels are no displacements of its own dimension, or one is NaN.
    """
    path = Path(path)
    try:
        image = read_file(path)
    except ImageError as error:
        raise TransformFileError(
            f"no transform can be read from it: {error.what}",
            where=str(path),
            expected="a transform file, or an image of displacements in mm",
            remedy=error.remedy,
        ) from error
    return transform_of_field(image, path)


def transform_of_field(image: sitk.Image, path: Path) -> DisplacementFieldTransform:
    """The transform of a SimpleITK image of displacements; see `read_displacement_field`."""
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[..., 0]
    dimension, components = image.GetDimension(), image.GetNumberOfComponentsPerPixel()
    if dimension not in (2, 3) or components != dimension:
        raise TransformFileError(
            f"this image of {dimension} dimensions has {components} value{'s'[: components > 1]} per voxel: "
            "it is no displacement field",
            where=str(path),
            expected="as many values per voxel as dimensions, displacements in mm",
            remedy="Give a transform file (.txt, .toml, .tfm, .h5, .mat), or a field such as ANTs' 1Warp.nii.gz",
        )
    vectors = np.moveaxis(sitk.GetArrayFromImage(image), -1, 0)
    displacements = torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float64))
    if not bool(displacements.isfinite().all()):
        raise TransformFileError("a displacement is NaN or infinite", where=str(path), remedy="Make the field again")
    return DisplacementFieldTransform.of(displacements, grid_of(image))


def field_to_itk(displacements: FeatureVolume, grid: Grid) -> sitk.Transform:
    """ITK's displacement field transform of displacements (D, (z, )y, x) in mm on `grid`."""
    vectors = np.ascontiguousarray(np.moveaxis(displacements.double().numpy(), 0, -1))
    return sitk.DisplacementFieldTransform(itk_image_on(grid, vectors, vector=True))
