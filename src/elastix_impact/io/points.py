"""Landmarks from files and into files, as world points; and which of two images belong together."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from elastix_impact.errors import LandmarkError
from elastix_impact.geometry.grid import Grid
from elastix_impact.typing import Points

from .atomic import write_text_whole
from .landmark_formats import parse_points
from .landmark_texts import landmark_text
from .warning import InputWarning


@final
@dataclass(frozen=True, eq=False)
class Landmarks:
    """World points in mm, float64 (N, D), with their labels where the file has some.

    Attributes
    ----------
    were_indices
        Whether the file gave voxel indices.
    """

    world_points: Points
    labels: tuple[str, ...] | None
    source: str
    were_indices: bool = False


def read_points(path: Path, grid: Grid | None) -> Landmarks:
    """The landmarks in a file.

    Parameters
    ----------
    path
        3D Slicer's ``.mrk.json`` or ``.fcsv``, ``.csv`` with columns x, y(, z) in mm (LPS) and perhaps label, else
        elastix's form (first line ``point`` or ``index``; without it the points are indices, fractions allowed).
    grid
        Of the image that the points belong to; needed for indices only.

    Raises
    ------
    LandmarkError
        If the file is missing, empty or malformed (with the line), or holds indices and `grid` is None.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise LandmarkError("no such landmark file", where=str(path), remedy="Check the path") from error
    except OSError as error:
        raise LandmarkError(f"the landmark file can't be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise LandmarkError("the landmark file is not text", where=str(path), remedy="Save it as UTF-8") from error
    table = parse_points(text, path)
    if not table.are_indices:
        return Landmarks(table.points, table.labels, str(path))
    if grid is None:
        raise LandmarkError(
            "the landmarks are voxel indices, and their image is not known",
            where=str(path),
            remedy='Give the image too, or write "point" in the first line if they are mm',
        )
    if grid.dimension != table.points.shape[1]:
        raise LandmarkError(
            f"{table.points.shape[1]}-D indices for an image of {grid.dimension} dimensions", where=str(path)
        )
    return Landmarks(grid.to_world(table.points), table.labels, str(path), were_indices=True)


def landmarks_of_both(fixed: Landmarks, moving: Landmarks) -> tuple[Landmarks, Landmarks]:
    """Files of different length without the landmarks that only one has, by label; others stay as they are.

    Warns
    -----
    InputWarning
        Of how many are left out.
    """
    if len(fixed.world_points) == len(moving.world_points) or fixed.labels is None or moving.labels is None:
        return fixed, moving
    shared = [label for label in fixed.labels if label in moving.labels]
    unique = all(len(set(labels)) == len(labels) for labels in (fixed.labels, moving.labels))
    if not shared or not unique:
        return fixed, moving
    left_out = len(fixed.labels) + len(moving.labels) - 2 * len(shared)
    warnings.warn(
        f"{left_out} landmarks that only one of {fixed.source} and {moving.source} has are left out",
        InputWarning,
        stacklevel=2,
    )
    return _with_labels(fixed, shared), _with_labels(moving, shared)


def _with_labels(landmarks: Landmarks, labels: Sequence[str]) -> Landmarks:
    assert landmarks.labels is not None
    rows = [landmarks.labels.index(label) for label in labels]
    return replace(landmarks, world_points=landmarks.world_points[rows], labels=tuple(labels))


def pair_landmarks(fixed: Landmarks, moving: Landmarks) -> tuple[Points, Points]:
    """Fixed and moving points that belong together, (N, D) each.

    By label where both files have the same unique labels, else by order.

    Raises
    ------
    LandmarkError
        If their numbers or dimensions differ.

    Warns
    -----
    InputWarning
        If both have labels that differ, so that only the order is left.
    """
    counts = len(fixed.world_points), len(moving.world_points)
    if counts[0] != counts[1] or fixed.world_points.shape[1] != moving.world_points.shape[1]:
        dimensions = fixed.world_points.shape[1], moving.world_points.shape[1]
        raise LandmarkError(
            f"{counts[0]} fixed landmarks in {fixed.source} and {counts[1]} moving ones "
            f"({dimensions[0]}-D and {dimensions[1]}-D)",
            where=moving.source,
            expected="one moving landmark per fixed landmark, of the same dimension",
            remedy="Check that both files are of this case, and complete",
        )
    if fixed.labels is None or moving.labels is None or fixed.labels == moving.labels:
        return fixed.world_points, moving.world_points
    if len(set(fixed.labels)) == counts[0] and set(fixed.labels) == set(moving.labels):
        order = [moving.labels.index(label) for label in fixed.labels]
        return fixed.world_points, moving.world_points[order]
    warnings.warn(
        f"the labels of {fixed.source} and {moving.source} differ: landmarks are paired by their order",
        InputWarning,
        stacklevel=2,
    )
    return fixed.world_points, moving.world_points


def read_landmark_pair(
    fixed: Path, moving: Path, fixed_grid: Grid | None, moving_grid: Grid | None
) -> tuple[tuple[Points, Points], tuple[str, ...]]:
    """Two files as points that belong together, (N, D) each, and their names as far as the fixed ones have labels.

    Raises
    ------
    LandmarkError
        As `read_points` and `pair_landmarks` do; they say what the grids are for.

    Warns
    -----
    InputWarning
        As `landmarks_of_both` and `pair_landmarks` do.
    """
    first, second = landmarks_of_both(read_points(fixed, fixed_grid), read_points(moving, moving_grid))
    return pair_landmarks(first, second), first.labels or ()


def write_points(path: Path, world_points: Points, labels: Sequence[str] | None = None) -> None:
    """Write world points in mm (N, D) in the form of the suffix, as `read_points` knows them; raises OutputError."""
    path = Path(path)
    write_text_whole(path, landmark_text(path, [tuple(row) for row in world_points.double().tolist()], labels))
