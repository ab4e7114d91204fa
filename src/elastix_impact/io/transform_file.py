"""elastix's transform parameter files: what transformix, nipype and SlicerElastix read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from elastix_impact.errors import InputError, ParameterMapError, TransformFileError
from elastix_impact.geometry.grid import Grid
from elastix_impact.parameters.problems import Problem, raise_if_errors
from elastix_impact.parameters.raw import Value
from elastix_impact.parameters.text import read_parameter_map, write_parameter_text
from elastix_impact.parameters.toml import write_parameter_toml
from elastix_impact.transforms.base import AbstractTransform

from .atomic import write_text_whole
from .itk_reading import read_itk_transform
from .transform_keys import Keys, transform_from, transform_keys

Combination = Literal["Compose", "Add"]
_NO_INITIAL = "NoInitialTransform"
_ORDERS = {"FinalNearestNeighborInterpolator": 0, "FinalLinearInterpolator": 1}
"""Interpolators whose order is in their name."""
_SPLINES = ("FinalBSplineInterpolator", "FinalBSplineInterpolatorFloat")
_GRID = ("Size", "Index", "Spacing", "Origin", "Direction")
_EXPECTED = "elastix's TransformParameters.<i>.txt or .toml, or ITK's .tfm, .txt, .h5 or .mat"


@final
@dataclass(frozen=True, kw_only=True)
class ResampleSettings:
    """How transformix shall resample an image with this transform."""

    interpolation_order: int = 3
    default_pixel_value: float = 0.0
    image_format: str = "mhd"
    pixel_type: str = "short"
    compress: bool = False


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class TransformRecord:
    """What one file holds.

    Attributes
    ----------
    transform
        Without its initial transform, float64 in mm; see `use_direction_cosines`.
    initial
        The file of the transform before it, or None; as written, so perhaps relative.
    combination
        How both are combined.
    fixed_grid
        The grid onto which images are resampled; None if the file says nothing of it, as a starting transform may that
        was written by hand or by SlicerElastix. See `known_grid`.
    use_direction_cosines
        Whether the transform is one of world points. If not, it maps images as if their axes were the world's, and only
        `read_transform` makes a transform of world points of it.
    exported_file
        An ITK file that holds the transform instead, beside this one; None = the parameters are here.
    """

    transform: AbstractTransform
    fixed_grid: Grid | None = None
    initial: Path | None = None
    combination: Combination = "Compose"
    use_direction_cosines: bool = True
    fixed_pixel_type: str = "float"
    moving_pixel_type: str = "float"
    exported_file: Path | None = None
    resample: ResampleSettings = ResampleSettings()


def write_transform_file(path: Path, record: TransformRecord) -> None:
    """Write a transform file, whole or not at all; TOML if the suffix says so.

    Raises
    ------
    TransformFileError
        If elastix has no such transform, or the fixed grid is not known.
    OutputError
        If the file can't be written.
    """
    path = Path(path)
    frame, resampling = _frame_keys(record, known_grid(record, path)), _resample_keys(record.resample)
    if path.suffix.lower() == ".toml":
        write_text_whole(path, write_parameter_toml(frame | resampling))
        return
    final_order = ("FinalBSplineInterpolationOrder", "ResampleInterpolator")
    interpolator = {key: resampling.pop(key) for key in final_order}
    sections = [
        write_parameter_text(dict(sorted(frame.items()))),
        "// ResampleInterpolator specific\n" + write_parameter_text(interpolator),
        "// Resampler specific\n" + write_parameter_text(resampling),
    ]
    write_text_whole(path, "\n".join(sections))


def known_grid(record: TransformRecord, path: Path) -> Grid:
    """The fixed grid that the file at `path` says; raises TransformFileError if it says none."""
    if record.fixed_grid is None:
        raise TransformFileError(
            "Size: is missing: the file does not say on which grid the results lie",
            where=str(path),
            expected=f"{', '.join(_GRID)} of the fixed image",
            remedy="Give a file that a registration wrote, or `elastix-impact transform` with --reference; a starting "
            "transform needs no grid",
        )
    return record.fixed_grid


def _frame_keys(record: TransformRecord, grid: Grid) -> dict[str, list[Value]]:
    keys: dict[str, list[Value]] = {
        "FixedImageDimension": [grid.dimension],
        "MovingImageDimension": [grid.dimension],
        "FixedInternalImagePixelType": [record.fixed_pixel_type],
        "MovingInternalImagePixelType": [record.moving_pixel_type],
        "Size": list(grid.size),
        "Index": [0] * grid.dimension,
        "Spacing": list(grid.spacing),
        "Origin": list(grid.origin),
        "Direction": [value for column in zip(*grid.direction) for value in column],
        "UseDirectionCosines": [record.use_direction_cosines],
        "InitialTransformParameterFileName": [str(record.initial) if record.initial else _NO_INITIAL],
        "HowToCombineTransforms": [record.combination],
    }
    if record.exported_file is not None:
        keys["Transform"], keys["TransformFileName"] = ["File"], [str(record.exported_file)]
        return keys
    return keys | transform_keys(record.transform)


def _resample_keys(settings: ResampleSettings) -> dict[str, list[Value]]:
    return {
        "FinalBSplineInterpolationOrder": [settings.interpolation_order],
        "ResampleInterpolator": ["FinalBSplineInterpolator"],
        "CompressResultImage": [settings.compress],
        "DefaultPixelValue": [settings.default_pixel_value],
        "Resampler": ["DefaultResampler"],
        "ResultImageFormat": [settings.image_format],
        "ResultImagePixelType": [settings.pixel_type],
    }


def read_transform_file(path: Path) -> TransformRecord:
    """The transform in one file, its initial transform not followed.

    Raises
    ------
    TransformFileError
        If it is missing, malformed, or of a kind that is not supported.
    """
    path = Path(path)
    keys = _keys(path)
    grid = keys.grid("") if keys.any_of(_GRID) else None
    exported = keys.path("TransformFileName") if keys.text("Transform", "") == "File" else None
    transform = read_itk_transform(beside(exported, path)) if exported else transform_from(keys)
    _check_dimensions(keys, transform, grid)
    initial = keys.path("InitialTransformParameterFileName") or keys.path("InitialTransformParametersFileName")
    return TransformRecord(
        transform=transform,
        fixed_grid=grid,
        initial=initial,
        combination=_combination(keys),
        use_direction_cosines=keys.flag("UseDirectionCosines", True),
        fixed_pixel_type=keys.text("FixedInternalImagePixelType", "float"),
        moving_pixel_type=keys.text("MovingInternalImagePixelType", "float"),
        exported_file=exported,
        resample=ResampleSettings(
            interpolation_order=_resample_order(keys),
            default_pixel_value=keys.number("DefaultPixelValue", 0.0),
            image_format=keys.text("ResultImageFormat", "mhd"),
            pixel_type=keys.text("ResultImagePixelType", "short"),
            compress=keys.flag("CompressResultImage", False),
        ),
    )


def _keys(path: Path) -> Keys:
    """The keys of a file that is there, is text, and is no map of settings."""
    if not path.is_file():
        raise TransformFileError("no such transform file", where=str(path), remedy="Check the path")
    try:
        raw = read_parameter_map(path)
        raise_if_errors(raw.faults)
    except InputError as error:
        raise _not_a_transform(error, path) from error
    if "Transform" not in raw or ("Metric" in raw and not raw.is_transform_file):
        what = "a map of settings, no transform" if "Metric" in raw else "Transform: is missing"
        raise TransformFileError(what, where=str(path), expected=_EXPECTED, remedy="Give the file that a run wrote")
    return Keys(raw, path)


def _not_a_transform(error: InputError, path: Path) -> TransformFileError:
    """What a fault of the grammar means for a transform file; the first one says enough."""
    problem = error.problems[0] if isinstance(error, ParameterMapError) and error.problems else None
    if not isinstance(problem, Problem):
        what, where = error.what, str(path)
    else:
        what, where = f"{problem.parameter}: {problem.message}".removeprefix(": "), problem.where
    return TransformFileError(f"not a transform file: {what}", where=where, expected=_EXPECTED)


def _check_dimensions(keys: Keys, transform: AbstractTransform, grid: Grid | None) -> None:
    """Refuse a file whose transform, grid and images are not of one dimension, 2 or 3."""
    dimension = transform.dimension
    if grid is not None and dimension != grid.dimension:
        raise keys.fault("Size", f"has {grid.dimension} values for a transform of {dimension} dimensions")
    if dimension not in (2, 3):
        raise keys.fault("TransformParameters", f"are those of {dimension} dimensions", "2 or 3")
    for key in ("FixedImageDimension", "MovingImageDimension"):
        if keys.integer(key, dimension) != dimension:
            raise keys.fault(key, f"does not fit a transform of {dimension} dimensions")


def _combination(keys: Keys) -> Combination:
    name = keys.text("HowToCombineTransforms", "Compose")
    if name == "Compose":
        return "Compose"
    if name == "Add":
        return "Add"
    raise keys.fault("HowToCombineTransforms", f'"{name}" is unknown', '"Compose" or "Add"')


def beside(name: Path, path: Path) -> Path:
    """Where the file `name` that the file at `path` names is looked for: in its folder, then here."""
    here = path.parent / name
    return here if here.is_file() or not name.is_file() else name


def _resample_order(keys: Keys) -> int:
    name = keys.text("ResampleInterpolator", "FinalBSplineInterpolator")
    if name not in (*_ORDERS, *_SPLINES):
        raise keys.fault("ResampleInterpolator", f'"{name}" is unknown', ", ".join((*_ORDERS, *_SPLINES)))
    order = _ORDERS.get(name)
    order = keys.integer("FinalBSplineInterpolationOrder", 3) if order is None else order
    if order not in range(6):
        raise keys.fault("FinalBSplineInterpolationOrder", f"is {order}", "0 to 5")
    return order
