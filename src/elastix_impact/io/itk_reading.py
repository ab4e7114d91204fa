"""Transforms out of ITK's files: .tfm, .txt, .h5, ANTs' .mat."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import final

import numpy as np
import SimpleITK as sitk
import torch
from SimpleITK import _SimpleITK  # pyright: ignore[reportAttributeAccessIssue]

from elastix_impact.errors import TransformFileError
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.transforms.translation import TranslationTransform

from . import hdf5
from .displacement_field import transform_of_field
from .formats import library_chatter_off
from .images import grid_of
from .itk_whole import check_whole

_PROBE_MM = 1000.0
_PROOF_MM = (317.0, -211.0, 503.0)
_PROOF_TOLERANCE = 1e-9
"""How far, as a share of a point's coordinates, a linear transform may lie from its matrix there."""
_UNKNOWN_KIND = re.compile(r'Could not create an instance of "([A-Za-z]+)')


def read_itk_transform(path: Path) -> AbstractTransform:
    """The transform in an ITK file, float64: what is linear as an affine one, B-splines, displacement fields (as
    B-splines of order 1), and composites of them.

    Raises
    ------
    TransformFileError
        If it can't be read, is not whole, or holds several transforms that are no composite.
    """
    path = Path(path)
    if not path.is_file():
        raise TransformFileError("no such transform file", where=str(path), remedy="Check the path")
    check_whole(path)
    if path.suffix.lower() in hdf5.SUFFIXES:
        hdf5.check_readable(path)
    try:
        with _kept_warnings() as kept, library_chatter_off():
            itk_transform = _SimpleITK.ReadTransform(str(path))  # as it is; see `_typed`
    except (RuntimeError, UnicodeDecodeError) as error:
        unknown = _UNKNOWN_KIND.search(str(error))
        raise TransformFileError(
            f"{unknown[1]} is not supported" if unknown else "not a transform that ITK can read",
            where=str(path),
            expected="linear, B-spline or displacement field transforms, or a composite, in .tfm, .txt, .h5 or .mat",
            remedy="Check that the file is whole, and that its suffix fits its form",
        ) from error
    if "more than one transform" in kept.text:
        raise TransformFileError(
            "several transforms that are no composite: how they combine is not known",
            where=str(path),
            remedy="Write them as one composite transform",
        )
    transform = _from_itk(_typed(itk_transform), path)
    if not _is_finite(transform):
        raise TransformFileError("a parameter is NaN or infinite", where=str(path), remedy="Make the transform again")
    return transform


@final
class _WarningKeeper(sitk.LoggerBase):
    """Keeps what ITK says, and shows nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def DisplayText(self, t: str) -> None:  # noqa: N802
        """Keep a warning, error or remark; called by ITK."""
        self.text += t


@contextlib.contextmanager
def _kept_warnings() -> Iterator[_WarningKeeper]:
    """ITK's warnings while the block runs; its settings are restored."""
    keeper = _WarningKeeper()
    displayed = sitk.ProcessObject.GetGlobalWarningDisplay()
    before = keeper.SetAsGlobalITKLogger()
    sitk.ProcessObject.SetGlobalWarningDisplay(True)
    try:
        yield keeper
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(displayed)
        before.SetAsGlobalITKLogger()


def _is_finite(transform: AbstractTransform) -> bool:
    if isinstance(transform, CompositeTransform):
        return _is_finite(transform.initial) and _is_finite(transform.current)
    return bool(transform.parameters.isfinite().all())


def _typed(transform: sitk.Transform) -> sitk.Transform:
    """The transform as the class of its kind; as it is where SimpleITK has none, e.g. ComposeScaleSkewVersor3D.

    SimpleITK's own functions in Python make this step themselves, and end with it where they can't.
    """
    try:
        return transform.Downcast()
    except (KeyError, TypeError, RuntimeError):
        return transform


def _from_itk(transform: sitk.Transform, path: Path) -> AbstractTransform:
    if isinstance(transform, sitk.BSplineTransform):
        return _spline(transform, path)
    if isinstance(transform, sitk.DisplacementFieldTransform):
        return transform_of_field(transform.GetDisplacementField(), path)
    if isinstance(transform, sitk.TranslationTransform):
        return TranslationTransform(torch.tensor(transform.GetOffset(), dtype=torch.float64))
    if transform.IsLinear():
        return _affine(transform, path)
    if isinstance(transform, sitk.CompositeTransform):
        return _chain(transform, path)
    raise _unsupported(transform, path)


def _unsupported(transform: sitk.Transform, path: Path) -> TransformFileError:
    return TransformFileError(
        f"{transform.GetName()} is not supported",
        where=str(path),
        expected="linear, B-spline or displacement field transforms, or a composite of them",
        remedy="Write it as a displacement field: SimpleITK's TransformToDisplacementField",
    )


def _chain(composite: sitk.CompositeTransform, path: Path) -> AbstractTransform:
    """The parts of a composite, of which the last one is applied first."""
    count = composite.GetNumberOfTransforms()
    parts = [
        _from_itk(_typed(_SimpleITK.CompositeTransform_GetNthTransform(composite, k)), path)
        for k in reversed(range(count))
    ]
    whole = parts[0]
    for part in parts[1:]:
        whole = CompositeTransform(whole, part, "Compose")
    return whole


def _spline(transform: sitk.BSplineTransform, path: Path) -> BSplineTransform:
    if transform.GetOrder() not in (1, 2, 3):
        raise TransformFileError(
            f"a B-spline of order {transform.GetOrder()} is not supported", where=str(path), expected="order 1, 2 or 3"
        )
    images = transform.GetCoefficientImages()
    coefficients = np.concatenate([sitk.GetArrayFromImage(image).ravel() for image in images])
    return BSplineTransform(torch.from_numpy(coefficients).double(), grid_of(images[0]), transform.GetOrder())


def _affine(transform: sitk.Transform, path: Path) -> AffineTransform:
    """A linear transform as matrix and translation, read off at the origin and at points along the axes.

    Works for every kind, also for the base class that ANTs writes, which SimpleITK wraps in a composite of itself. Some
    call themselves linear and are not (AzimuthElevationToCartesianTransform): another point proves it.
    """
    dimension = transform.GetDimension()
    origin = np.asarray(transform.TransformPoint([0.0] * dimension))
    ends = [transform.TransformPoint(row) for row in (np.eye(dimension) * _PROBE_MM).tolist()]
    matrix = (np.asarray(ends) - origin).T / _PROBE_MM
    proof = np.asarray(_PROOF_MM[:dimension])
    expected, found = matrix @ proof + origin, np.asarray(transform.TransformPoint(proof.tolist()))
    if not np.allclose(found, expected, rtol=0, atol=_PROOF_TOLERANCE * (1 + np.abs([origin, expected]).max())):
        raise _unsupported(transform, path)
    parameters = torch.from_numpy(np.concatenate([matrix.ravel(), origin]))
    return AffineTransform(parameters, (0.0,) * dimension)
