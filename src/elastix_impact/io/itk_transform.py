"""Transforms in ITK's files (.tfm, .txt, .h5, ANTs' .mat), which 3D Slicer, ANTs and SimpleITK read."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from elastix_impact.errors import OutputError, TransformFileError
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.transforms.linear import AbstractLinearTransform
from elastix_impact.transforms.translation import TranslationTransform

from .atomic import written_whole
from .images import grid_of
from .transform_file import read_transform_chain

_ITK_SUFFIXES = (".tfm", ".h5", ".hdf5", ".mat", ".xfm")
_PROBE_MM = 1000.0


def read_initial_transform(path: Path) -> AbstractTransform:
    """The transform in a file of elastix (with its chain) or of ITK, decided by its content.

    Raises
    ------
    TransformFileError
        If it is missing, malformed or of a kind that is not supported.
    """
    path = Path(path)
    if not path.is_file():
        raise TransformFileError("no such transform file", where=str(path), remedy="Check the path")
    with path.open("rb") as file:
        start = file.read(64)
    if path.suffix.lower() in _ITK_SUFFIXES or start.startswith(b"#Insight Transform File"):
        return read_itk_transform(path)
    return read_transform_chain(path)


def read_itk_transform(path: Path) -> AbstractTransform:
    """The transform in an ITK file, float64: linear kinds as affine ones, B-splines, and composites of them.

    Raises
    ------
    TransformFileError
        If it can't be read, or holds a displacement field.
    """
    path = Path(path)
    if not path.is_file():
        raise TransformFileError("no such transform file", where=str(path), remedy="Check the path")
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise TransformFileError(
            "not a transform that ITK can read", where=str(path), expected="an ITK .tfm, .txt, .h5 or .mat file"
        ) from error
    return _from_itk(transform.Downcast(), path)


def _from_itk(transform: sitk.Transform, path: Path) -> AbstractTransform:
    if isinstance(transform, sitk.CompositeTransform):
        parts = [
            _from_itk(transform.GetNthTransform(k).Downcast(), path) for k in range(transform.GetNumberOfTransforms())
        ]
        if not parts:
            raise TransformFileError("an empty composite transform", where=str(path))
        whole = parts[-1]
        for part in reversed(parts[:-1]):
            whole = CompositeTransform(whole, part, "Compose")
        return whole
    if isinstance(transform, sitk.BSplineTransform):
        images = transform.GetCoefficientImages()
        coefficients = np.concatenate([sitk.GetArrayFromImage(image).ravel() for image in images])
        return BSplineTransform(torch.from_numpy(coefficients).double(), grid_of(images[0]), transform.GetOrder())
    if isinstance(transform, sitk.DisplacementFieldTransform):
        raise TransformFileError(
            "a displacement field can't be an initial transform in this version",
            where=str(path),
            expected="a linear or B-spline transform, or a chain of them",
        )
    if isinstance(transform, sitk.TranslationTransform):
        return TranslationTransform(torch.tensor(transform.GetOffset(), dtype=torch.float64))
    if not transform.IsLinear():
        raise TransformFileError(f"{transform.GetName()} is not supported", where=str(path))
    return _affine(transform)


def _affine(transform: sitk.Transform) -> AffineTransform:
    """A linear ITK transform as matrix and translation, read off at the origin and at points along the axes."""
    dimension = transform.GetDimension()
    origin = np.asarray(transform.TransformPoint([0.0] * dimension))
    ends = [transform.TransformPoint((np.eye(dimension)[k] * _PROBE_MM).tolist()) for k in range(dimension)]
    matrix = (np.asarray(ends) - origin).T / _PROBE_MM
    parameters = torch.from_numpy(np.concatenate([matrix.ravel(), origin]))
    return AffineTransform(parameters, (0.0,) * dimension)


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
    itk_transform = _to_itk(transform.to(torch.float64), path)
    with written_whole(path) as temporary:
        try:
            sitk.WriteTransform(itk_transform, str(temporary))
        except RuntimeError as error:
            raise OutputError(
                "ITK can't write this transform file", where=str(path), expected="a suffix .tfm, .txt or .h5"
            ) from error


def _to_itk(transform: AbstractTransform, path: Path) -> sitk.Transform:
    match transform:
        case CompositeTransform(combination="Add"):
            raise TransformFileError(
                "transforms that are added can't be written in ITK's form",
                where=str(path),
                remedy='Use (HowToCombineTransforms "Compose")',
            )
        case CompositeTransform():
            composite = sitk.CompositeTransform(transform.dimension)
            for part in (transform.current, transform.initial):
                composite.AddTransform(_to_itk(part, path))
            composite.FlattenTransform()
            return composite
        case BSplineTransform():
            return _spline_to_itk(transform)
        case TranslationTransform():
            return sitk.TranslationTransform(transform.dimension, transform.parameters.tolist())
        case AbstractLinearTransform():
            matrix, translation = transform.matrix_and_translation(transform.parameters)
            return sitk.AffineTransform(matrix.flatten().tolist(), translation.tolist(), transform.centre)
        case _:
            raise TransformFileError(f"{type(transform).__name__} has no form in ITK's files", where=str(path))


def _spline_to_itk(transform: BSplineTransform) -> sitk.Transform:
    grid = transform.grid
    images = []
    for coordinate in transform.coefficients.reshape(grid.dimension, *grid.shape):
        image = sitk.GetImageFromArray(coordinate.numpy())
        image.SetSpacing(grid.spacing)
        image.SetOrigin(grid.origin)
        image.SetDirection([value for row in grid.direction for value in row])
        images.append(image)
    return sitk.BSplineTransform(images, transform.order)
