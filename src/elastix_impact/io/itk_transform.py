"""Transforms into ITK's files, which 3D Slicer, ANTs and SimpleITK read."""

from pathlib import Path

import SimpleITK as sitk
import torch

from elastix_impact.errors import OutputError, TransformFileError
from elastix_impact.geometry.grid import Grid
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.transforms.displacement_field import DisplacementFieldTransform
from elastix_impact.transforms.linear import AbstractLinearTransform
from elastix_impact.transforms.translation import TranslationTransform
from elastix_impact.typing import FeatureVolume

from .atomic import written_whole
from .displacement_field import field_to_itk
from .itk_images import itk_image_on


def write_itk_transform(path: Path, transform: AbstractTransform) -> None:
    """Write a transform in ITK's form, whole or not at all.

    Raises
    ------
    TransformFileError
        If it adds transforms, which ITK's files can't express.
    OutputError
        If the file can't be written, or ITK does not know its suffix.
    """
    path = Path(path)
    _write(path, _to_itk(transform.to(torch.float64), path))


def write_itk_field(path: Path, displacements: FeatureVolume, grid: Grid) -> None:
    """Write displacements (D, (z, )y, x) in mm on `grid` as ITK's displacement field transform; raises OutputError."""
    _write(Path(path), field_to_itk(displacements, grid))


def _write(path: Path, itk_transform: sitk.Transform) -> None:
    with written_whole(path) as temporary:
        try:
            sitk.WriteTransform(itk_transform, str(temporary))
        except RuntimeError as error:
            raise OutputError(
                "ITK can't write this transform file",
                where=str(path),
                expected="a suffix .tfm, .txt or .h5",
                remedy="Check the suffix, and that the disk is not full",
            ) from error


def _to_itk(transform: AbstractTransform, path: Path) -> sitk.Transform:
    match transform:
        case CompositeTransform(combination="Add"):
            raise TransformFileError(
                "transforms that are added can't be written in ITK's form, which applies one after the other",
                where=str(path),
                remedy='Use (HowToCombineTransforms "Compose"), or write a displacement field (--export-as field)',
            )
        case CompositeTransform():
            composite = sitk.CompositeTransform(transform.dimension)
            for part in (transform.current, transform.initial):
                composite.AddTransform(_to_itk(part, path))
            composite.FlattenTransform()
            return composite
        case BSplineTransform():
            return _spline_to_itk(transform)
        case DisplacementFieldTransform():
            return field_to_itk(transform.displacements, transform.field_grid)
        case TranslationTransform():
            return sitk.TranslationTransform(transform.dimension, transform.parameters.tolist())
        case AbstractLinearTransform():
            matrix, translation = transform.matrix_and_translation(transform.parameters)
            return sitk.AffineTransform(matrix.flatten().tolist(), translation.tolist(), transform.centre)
        case _:
            raise TransformFileError(f"{type(transform).__name__} has no form in ITK's files", where=str(path))


def _spline_to_itk(transform: BSplineTransform) -> sitk.Transform:
    grid = transform.grid
    coordinates = transform.coefficients.reshape(grid.dimension, *grid.shape)
    images = [itk_image_on(grid, coordinate.detach().numpy()) for coordinate in coordinates]
    return sitk.BSplineTransform(images, transform.order)
