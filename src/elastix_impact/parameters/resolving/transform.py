"""The transform: lattices of B-splines, scales and start of linear transforms."""

from __future__ import annotations

from typing import Literal, cast

from elastix_impact.parameters.plan import (
    InitialAlignment,
    LinearKind,
    LinearTransformPlan,
    SearchPlan,
    SplineKind,
    SplineTransformPlan,
    TransformPlan,
)
from elastix_impact.parameters.reader import Reader, as_integer

_ROTATION_SCALE, _SCALING_SCALE = 100_000.0, 10_000.0
"""elastix's defaults: a radian moves the image far more than a millimetre."""

_SEARCH_ROTATIONS = {2: 72, 3: 200}
_MOST_ROTATIONS = 20_000


def resolve_transform(reader: Reader, kind: LinearKind | SplineKind, levels: int, dimension: int) -> TransformPlan:
    """The plan of the transform."""
    if kind in ("BSpline", "RecursiveBSpline"):
        return _spline(reader, kind, levels, dimension)
    return _linear(reader, kind, dimension)


def _spline(reader: Reader, kind: SplineKind, levels: int, dimension: int) -> SplineTransformPlan:
    millimetres, voxels = "FinalGridSpacingInPhysicalUnits", "FinalGridSpacingInVoxels"
    if reader.has(millimetres) and reader.has(voxels):
        reader.note("error", voxels, f"given beside {millimetres}", "Delete one of them")
    for name in ("UseCyclicTransform", "PassiveEdgeWidth"):
        if any(text not in ("false", "0") for text in reader.texts(name)):
            reader.note("error", name, "not available in this version", "Delete the line")
    name = voxels if reader.has(voxels) else millimetres
    final = _per_axis(reader, name, dimension)
    factors = _grid_factors(reader, levels, dimension)
    spacing = tuple(tuple(one * factor for one, factor in zip(final, row)) for row in factors)
    return SplineTransformPlan(
        kind=kind,
        order=reader.integer("BSplineTransformSplineOrder"),
        grid_spacing=None if name == voxels else spacing,
        grid_spacing_voxels=spacing if name == voxels else None,
        passive_edge_width=0,
    )


def _per_axis(reader: Reader, name: str, dimension: int) -> tuple[float, ...]:
    count = reader.count(name)
    if count not in (0, 1, dimension):
        message = f"needs 1 number, or {dimension} for {dimension}-D images, got {count}"
        reader.note("error", name, message, "Give one number per axis, x y (z)")
    return tuple(reader.number(name, axis) for axis in range(dimension))


def _grid_factors(reader: Reader, levels: int, dimension: int) -> tuple[tuple[float, ...], ...]:
    name = "GridSpacingSchedule"
    values = reader.numbers(name)
    if len(values) == levels:
        return tuple((value,) * dimension for value in values)
    if len(values) == levels * dimension:
        return tuple(values[level * dimension : (level + 1) * dimension] for level in range(levels))
    if values:
        message = (
            f"needs {levels} numbers, one per level, or {levels * dimension}, per level and axis, got {len(values)}"
        )
        reader.note("error", name, message, "Give the coarsest level first; the last is usually 1")
    return tuple((2.0 ** (levels - 1 - level),) * dimension for level in range(levels))


def _linear(reader: Reader, kind: LinearKind, dimension: int) -> LinearTransformPlan:
    scales = None if kind == "Translation" else _scales(reader, kind, dimension)
    automatic = kind != "Translation" and scales is None
    initialisation = _initialisation(reader, kind, dimension)
    return LinearTransformPlan(
        kind=kind,
        centre=None if kind == "Translation" else _centre(reader, dimension),
        scales=scales,
        automatic_scales=automatic,
        automatic_initialisation=initialisation,
        search=_search(reader, dimension) if initialisation == "FeatureSearch" else None,
    )


def _centre(reader: Reader, dimension: int) -> tuple[float, ...] | None:
    name = "CenterOfRotationPoint"
    values = reader.numbers(name)
    if not values and reader.has("CenterOfRotation"):
        message = "a centre given as voxel index is not available in this version"
        reader.note("error", "CenterOfRotation", message, f"Give {name} in mm")
    if values and len(values) != dimension:
        message = f"needs {dimension} numbers for {dimension}-D images, got {len(values)}"
        reader.note("error", name, message, "Give the world coordinates in mm, x y (z)")
    return values or None


def _scales(reader: Reader, kind: LinearKind, dimension: int) -> tuple[float, ...] | None:
    """Scales per parameter, None = automatic."""
    count = reader.count("Scales")
    default = _default_scales(kind, dimension, _ROTATION_SCALE)
    always = kind == "AffineLog"
    if always and count == 0:
        return None
    if not always and reader.boolean("AutomaticScalesEstimation"):
        return None
    if count == 0:
        return default
    values = reader.numbers("Scales")
    if count == 1 and kind in ("Euler", "Affine"):
        return _default_scales(kind, dimension, values[0])
    if count != len(default):
        one = "1 number, or " if kind in ("Euler", "Affine") else ""
        message = f"needs {one}{len(default)}, one per parameter of the {dimension}-D {kind} transform, got {count}"
        reader.note("error", "Scales", message, "Give them all, or delete the line")
        return default
    return values


def _default_scales(kind: LinearKind, dimension: int, rotation: float) -> tuple[float, ...]:
    """Scales in the order of the parameters; `rotation` for rotations and shears, 1 for translations."""
    translations = (1.0,) * dimension
    if kind == "Euler":
        return (rotation,) * (3 if dimension == 3 else 1) + translations
    if kind == "Similarity":
        turned = (rotation,) * 3 + translations + (_SCALING_SCALE,)
        return turned if dimension == 3 else (_SCALING_SCALE, rotation, *translations)
    return (rotation,) * dimension**2 + translations


def _initialisation(reader: Reader, kind: LinearKind, dimension: int) -> InitialAlignment | None:
    if not reader.boolean("AutomaticTransformInitialization"):
        return None
    name = "AutomaticTransformInitializationMethod"
    method = reader.text(name)
    if method in ("Origins", "GeometryTop") and kind != "Affine":
        message = f'"{method}" works with AffineTransform only; elastix aligns geometrical centres instead'
        reader.note("warning", name, message, "Write GeometricalCenter or CenterOfGravity")
        return "GeometricalCenter"
    if method == "FeatureSearch" and kind == "Translation":
        message = '"FeatureSearch" also turns the image, which TranslationTransform can not'
        reader.note("error", name, message, "Use EulerTransform, or write GeometricalCenter or CenterOfGravity")
    if method == "GeometryTop" and dimension == 2:
        reader.note("error", name, '"GeometryTop" needs 3-D images', "Write GeometricalCenter or CenterOfGravity")
    return cast(InitialAlignment, method)


def _search(reader: Reader, dimension: int) -> SearchPlan:
    overlap = reader.number("SearchMinimumOverlap")
    if overlap > 1:
        reader.note("error", "SearchMinimumOverlap", f"{overlap:g} is too large", "Give a share of at most 1")
    return SearchPlan(
        rotations=_search_rotations(reader, dimension),
        voxel_size=reader.number("SearchVoxelSize") if reader.has("SearchVoxelSize") else None,
        minimum_overlap=overlap,
        candidates=reader.integer("SearchCandidates"),
    )


def _search_rotations(reader: Reader, dimension: int) -> int | Literal["near"]:
    name = "SearchRotations"
    if not reader.has(name):
        return _SEARCH_ROTATIONS[dimension]
    text = reader.text(name)
    if text == "near":
        return "near"
    count = as_integer(text)
    if count is None or not 1 <= count <= _MOST_ROTATIONS:
        message = f"{text!r} is no number of rotations"
        remedy = f'Give a whole number from 1 to {_MOST_ROTATIONS}, 200 is usual, or "near"'
        reader.note("error", name, message, remedy)
        return _SEARCH_ROTATIONS[dimension]
    return count
