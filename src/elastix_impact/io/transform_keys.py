"""The keys of a transform file that depend on the kind of transform, both ways."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import InputError, TransformFileError
from elastix_impact.geometry.grid import Grid, Row
from elastix_impact.parameters.raw import RawParameterMap, Value
from elastix_impact.transforms.affine import AffineLogTransform, AffineTransform
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.displacement_field import DisplacementFieldTransform
from elastix_impact.transforms.euler import EulerTransform
from elastix_impact.transforms.linear import AbstractLinearTransform
from elastix_impact.transforms.similarity import SimilarityTransform
from elastix_impact.transforms.translation import TranslationTransform

from .plain_number import plain_number

_LINEAR: dict[str, Callable[[Tensor, Row], AbstractLinearTransform]] = {
    "SimilarityTransform": SimilarityTransform,
    "AffineTransform": AffineTransform,
    "AffineLogTransform": AffineLogTransform,
}
_SPLINES = ("BSplineTransform", "RecursiveBSplineTransform")
_KINDS = ("TranslationTransform", "EulerTransform", *_LINEAR, *_SPLINES)
_REMEDY = "Give a file that elastix or elastix-impact wrote"
_REMEDY_UNSUPPORTED = "Use elastix's own transformix for this file"


@final
class Keys:
    """The keys of one transform file; what is missing or malformed is a TransformFileError with its line."""

    def __init__(self, raw: RawParameterMap, path: Path) -> None:
        self._raw, self._path = raw, path

    def fault(self, key: str, what: str, expected: str | None = None, remedy: str = _REMEDY) -> TransformFileError:
        """An error about one key."""
        line = self._raw.line(key)
        where = f"{self._path}:{line}" if line else str(self._path)
        return TransformFileError(f"{key}: {what}", where=where, expected=expected, remedy=remedy)

    def any_of(self, names: Iterable[str]) -> bool:
        """Whether the file has one of these keys."""
        return any(name in self._raw for name in names)

    def text(self, key: str, default: str) -> str:
        """The first value."""
        return self._raw.values(key)[0] if key in self._raw else default

    def flag(self, key: str, default: bool) -> bool:
        """The first value as a truth value."""
        value = self.text(key, str(default).lower())
        if value not in ("true", "false"):
            raise self.fault(key, f'is "{value}"', '"true" or "false"')
        return value == "true"

    def path(self, key: str) -> Path | None:
        """The first value as a path; None if it is absent or elastix's word for none."""
        name = self.text(key, "")
        return Path(name) if name and name != "NoInitialTransform" else None

    def number(self, key: str, default: float) -> float:
        """The only value as a number."""
        return self.numbers(key, 1)[0] if key in self._raw else default

    def numbers(self, key: str, count: int | None = None) -> Row:
        """All values as numbers, `count` of them if given."""
        if key not in self._raw:
            raise self.fault(key, "is missing")
        values = self._raw.values(key)
        if count is not None and len(values) != count:
            raise self.fault(key, f"has {len(values)} values", f"{count}")
        try:
            numbers = tuple(plain_number(value) for value in values)
        except ValueError as error:
            raise self.fault(key, f"holds something that is no number ({error})") from error
        if not all(map(math.isfinite, numbers)):
            raise self.fault(key, "holds a value that is NaN or infinite")
        return numbers

    def integers(self, key: str, count: int | None = None) -> tuple[int, ...]:
        """All values as whole numbers, `count` of them if given."""
        numbers = self.numbers(key, count)
        if not all(number.is_integer() for number in numbers):
            raise self.fault(key, "holds a value that is no whole number")
        return tuple(int(number) for number in numbers)

    def integer(self, key: str, default: int) -> int:
        """The only value as a whole number."""
        return self.integers(key, 1)[0] if key in self._raw else default

    def direction(self, key: str, dimension: int) -> tuple[Row, ...]:
        """Rows of a direction matrix, which files list column by column; the identity if the key is absent."""
        if key not in self._raw:
            return Grid.axis_aligned((1,) * dimension, (1.0,) * dimension).direction
        flat = self.numbers(key, dimension**2)
        return tuple(tuple(flat[row + dimension * column] for column in range(dimension)) for row in range(dimension))

    def grid(self, prefix: str) -> Grid:
        """The grid of the keys Size, Index, Spacing, Origin and Direction, each after `prefix`."""
        size = self.integers(f"{prefix}Size")
        dimension = len(size)
        if dimension not in (2, 3):
            raise self.fault(f"{prefix}Size", f"has {dimension} values", "2 or 3")
        spacing, origin = self.numbers(f"{prefix}Spacing", dimension), self.numbers(f"{prefix}Origin", dimension)
        for key, numbers in ((f"{prefix}Size", size), (f"{prefix}Spacing", spacing)):
            if min(numbers) <= 0:
                raise self.fault(key, "holds a value that is not positive")
        direction = self.direction(f"{prefix}Direction", dimension)
        try:
            grid = Grid(size, spacing, origin, direction)
        except InputError as error:
            raise self.fault(f"{prefix}Direction", error.what) from error
        first = self.integers(f"{prefix}Index", dimension) if f"{prefix}Index" in self._raw else (0,) * dimension
        if not any(first):
            return grid
        first_voxel = grid.to_world(torch.tensor([first], dtype=torch.float64))
        return replace(grid, origin=tuple(first_voxel[0].tolist()))


def transform_keys(transform: AbstractTransform) -> dict[str, list[Value]]:
    """The keys that describe a transform; of a displacement field, those of a B-spline of order 1 (see `as_spline`).

    Raises
    ------
    TransformFileError
        If elastix has no such transform.
    """
    if isinstance(transform, DisplacementFieldTransform):
        transform = transform.as_spline
    parameters: list[Value] = [*transform.parameters.detach().double().cpu().tolist()]
    keys: dict[str, list[Value]] = {"NumberOfParameters": [len(parameters)], "TransformParameters": parameters}
    match transform:
        case BSplineTransform():
            grid = transform.grid
            spline: dict[str, list[Value]] = {
                "Transform": ["RecursiveBSplineTransform" if transform.recursive else "BSplineTransform"],
                "BSplineTransformSplineOrder": [transform.order],
                "GridSize": list(grid.size),
                "GridIndex": [0] * grid.dimension,
                "GridSpacing": list(grid.spacing),
                "GridOrigin": list(grid.origin),
                "GridDirection": [value for column in zip(*grid.direction) for value in column],
                "UseCyclicTransform": [False],
            }
            return keys | spline
        case TranslationTransform():
            keys["Transform"] = ["TranslationTransform"]
            return keys
        case EulerTransform():
            zyx: dict[str, list[Value]] = {"ComputeZYX": [transform.compute_zyx]} if transform.dimension == 3 else {}
            return keys | zyx | _about("EulerTransform", transform.centre)
        case SimilarityTransform():
            return keys | _about("SimilarityTransform", transform.centre)
        case AffineTransform():
            return keys | _about("AffineTransform", transform.centre)
        case AffineLogTransform():
            return keys | _about("AffineLogTransform", transform.centre)
        case _:
            raise TransformFileError(
                f"{type(transform).__name__} is no single transform that elastix's files can hold",
                remedy="Write the parts of a chain as files of their own",
            )


def _about(name: str, centre: Row) -> dict[str, list[Value]]:
    return {"Transform": [name], "CenterOfRotationPoint": list(centre)}


def transform_from(keys: Keys) -> AbstractTransform:
    """The transform that the keys describe, float64.

    Raises
    ------
    TransformFileError
        If keys are missing or wrong, or the kind is not supported.
    """
    kind = keys.text("Transform", "")
    if kind == "File":
        raise keys.fault("Transform", '"File" needs TransformFileName')
    if kind not in _KINDS:
        supported = f"one of {', '.join(_KINDS)}"
        raise keys.fault("Transform", f'"{kind}" is not supported', supported, _REMEDY_UNSUPPORTED)
    parameters = torch.tensor(keys.numbers("TransformParameters"), dtype=torch.float64)
    announced = keys.integer("NumberOfParameters", len(parameters))
    if announced != len(parameters):
        raise keys.fault(
            "TransformParameters", f"has {len(parameters)} values", f"{announced}, says NumberOfParameters"
        )
    try:
        if kind in _SPLINES:
            return _spline(keys, parameters, recursive=kind != "BSplineTransform")
        if kind == "TranslationTransform":
            return TranslationTransform(parameters)
        centre = keys.numbers("CenterOfRotationPoint")
        if kind == "EulerTransform":
            return EulerTransform(parameters, centre, keys.flag("ComputeZYX", False))
        return _LINEAR[kind](parameters, centre)
    except InputError as error:
        if isinstance(error, TransformFileError):
            raise
        raise keys.fault("TransformParameters", error.what, error.expected) from error


def _spline(keys: Keys, parameters: Tensor, *, recursive: bool) -> BSplineTransform:
    if keys.flag("UseCyclicTransform", False):
        raise keys.fault("UseCyclicTransform", "cyclic B-splines are not supported", '"false"', _REMEDY_UNSUPPORTED)
    grid, order = keys.grid("Grid"), keys.integer("BSplineTransformSplineOrder", 3)
    if order not in (1, 2, 3):
        raise keys.fault("BSplineTransformSplineOrder", f"is {order}", "1, 2 or 3")
    if min(grid.size) <= order:
        raise keys.fault("GridSize", f"is {grid.size}", f"at least {order + 1} control points along every axis")
    return BSplineTransform(parameters, grid, order, recursive)
