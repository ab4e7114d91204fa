"""What callers give, from memory or from files, as the files of a case: everything then goes the one way of a run."""

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.io.atomic import write_text_whole
from elastix_impact.io.image_writing import write_image
from elastix_impact.io.itk_images import is_itk_image, write_itk_image
from elastix_impact.io.pixels import numpy_type
from elastix_impact.io.points import write_points

ImageLike: TypeAlias = Any
"""A path, an `Image`, a SimpleITK image, or a pair (array or tensor ((z, )y, x), `Grid`)."""

PointsLike: TypeAlias = Any
"""A path, or an array or tensor (N, D) of world points in mm."""

Parameters: TypeAlias = Any
"""A map: a path, its text, or a dict of names and values; or a list of these, one per stage."""

WHOLE_NUMBERS = {
    "bool": "unsigned char", "uint8": "unsigned char", "int8": "short", "int16": "short", "uint16": "unsigned short",
    "int32": "int", "uint32": "unsigned int",
}  # fmt: skip
"""Type of file by type of array; 64 bits see `_pixel_type`, all else is float."""


def image_file(role: str, given: ImageLike, folder: Path) -> Path:
    """The file of an image; one from memory is written into `folder`.

    Raises
    ------
    InputError
        If it is none of `ImageLike`; the message begins with `role`, e.g. ``"fixed_mask"``.
    """
    if isinstance(given, str | PathLike):
        return Path(given)
    path = folder / f"{role}.mha"
    if is_itk_image(given):
        write_itk_image(path, given)
        return path
    if isinstance(given, Image):
        data = _real(role, given.data)
        write_image(path, data, given.grid, _pixel_type(data))
        return path
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Grid):
        data = _real(role, given[0])
        if tuple(data.shape) != given[1].shape:
            raise InputError(
                f"the array has shape {tuple(data.shape)}, its grid {given[1].shape}",
                where=role,
                expected="axes in the order (z, )y, x",
            )
        write_image(path, data, given[1], _pixel_type(data))
        return path
    what = "an array needs a Grid beside it" if hasattr(given, "shape") else f"got a {type(given).__name__}"
    raise InputError(
        what, where=role, expected="a path, an Image, a SimpleITK image, or (array, Grid) with axes (z, )y, x"
    )


def _tensor(role: str, values: Any) -> Tensor:
    """Numbers of any kind as a tensor on the CPU that numpy can hold."""
    try:
        data = values.detach() if isinstance(values, Tensor) else _from_array(np.asarray(values))
        data = data.to_dense().cpu()
        return data.float() if data.dtype in (torch.bfloat16, torch.float16) else data.resolve_conj().resolve_neg()
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        raise InputError(
            f"the array can't be used: {' '.join(str(error).split())}", where=role, expected="an array of numbers"
        ) from error


def _from_array(array: np.ndarray) -> Tensor:
    """A tensor of the array's numbers, whatever their byte order."""
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    return torch.from_numpy(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")))


def _real(role: str, values: Any) -> Tensor:
    data = _tensor(role, values)
    if data.is_complex():
        raise InputError("the array is complex", where=role, expected="real numbers", remedy="Take its magnitude first")
    return data


def _pixel_type(data: Tensor) -> str:
    """Elastix's name of the file's type: the narrowest of 32 and 64 bits that holds all whole numbers."""
    name = str(data.dtype).removeprefix("torch.")
    wide = {"int64": ("int", "long"), "uint64": ("unsigned int", "unsigned long")}.get(name)
    if wide is None:
        return WHOLE_NUMBERS.get(name, "float")
    values, limits = data.numpy(), np.iinfo(numpy_type(wide[0]))
    fits = values.size == 0 or (values.min() >= limits.min and values.max() <= limits.max)
    return wide[0] if fits else wide[1]


def points_file(role: str, given: PointsLike, folder: Path) -> Path:
    """The file of landmarks; those from memory are written into `folder`.

    Raises
    ------
    InputError
        If they are neither a path nor (N, D) numbers.
    """
    if isinstance(given, str | PathLike):
        return Path(given)
    points = _real(role, given)
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise InputError(
            f"landmarks of shape {tuple(points.shape)}", where=role, expected="(N, 2) or (N, 3) world points in mm"
        )
    path = folder / f"{role}.txt"
    write_points(path, points.double())
    return path


def names_file(given: "str | PathLike[str] | Mapping[int, str]", folder: Path) -> Path:
    """The file of label names; those from memory are written into `folder`.

    Raises
    ------
    InputError
        If they are neither a path nor names by label.
    """
    if isinstance(given, str | PathLike):
        return Path(given)
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given.values()):
        raise InputError(
            f"got a {type(given).__name__}", where="label_names", expected='a path, or names by label: {1: "spleen"}'
        )
    path = folder / "label_names.json"
    write_text_whole(path, json.dumps({str(label): name for label, name in given.items()}, indent=1) + "\n")
    return path


def map_files(given: Parameters, folder: Path) -> tuple[Path, ...]:
    """The files of parameter maps, one per stage; texts and dicts are written into `folder`.

    Raises
    ------
    InputError
        If one is none of `Parameters`.
    """
    stages = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if not stages:
        raise InputError("there is no map", where="parameters", expected="at least one, or a preset")
    return tuple(_map_file(number, one, folder) for number, one in enumerate(stages))


def _map_file(number: int, given: Any, folder: Path) -> Path:
    if isinstance(given, PathLike) or (isinstance(given, str) and "\n" not in given and "(" not in given):
        return Path(given)
    if not isinstance(given, str | Mapping):
        raise InputError(
            f"got a {type(given).__name__}", where="parameters", expected="paths, texts or dicts of parameter maps"
        )
    path = folder / f"ParameterMap.{number}.txt"
    write_text_whole(path, given if isinstance(given, str) else map_text(given))
    return path


def map_text(parameters: Mapping[str, Any]) -> str:
    """A dict of names and values (or lists of values) as the text of a parameter map."""
    lines = []
    for name, value in parameters.items():
        many = value if isinstance(value, list | tuple) else [value]
        lines.append(f"({name} {' '.join(_word(one) for one in many)})\n")
    return "".join(lines)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return '"true"' if value else '"false"'
    return f'"{value}"' if isinstance(value, str | PathLike) else f"{value}"
