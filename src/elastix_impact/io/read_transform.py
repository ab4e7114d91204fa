"""The one reader of transforms: files of elastix with their chains, files of ITK, images of displacements in mm.

A transform that was found with ``UseDirectionCosines "false"`` maps images as if their axes were the world's. It is
one of world points only together with the directions of both images: the file says the fixed one's, the moving one's
must be given. `StoredTransform` keeps the two kinds apart.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch

from elastix_impact.errors import TransformFileError
from elastix_impact.geometry.grid import Frame, Grid
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.composite import CompositeTransform

from .displacement_field import is_field_file, read_displacement_field
from .itk_reading import read_itk_transform
from .transform_file import TransformRecord, beside, known_grid, read_transform_file

_ITK_SUFFIXES = (".tfm", ".h5", ".hdf5", ".mat", ".xfm")


@final
@dataclass(frozen=True, eq=False)
class StoredTransform:
    """A transform as its file holds it.

    Attributes
    ----------
    path
        The file.
    as_stored
        The map from fixed to moving points in mm, with all that comes before it, float64. Its points are those of the
        world only if `ignores_directions` is not true; see `in_world`.
    record
        What an elastix file says beside its transform: fixed grid, resampling; None for other files.
    """

    path: Path
    as_stored: AbstractTransform
    record: TransformRecord | None = None

    @property
    def ignores_directions(self) -> bool:
        """Whether it maps images as if their axes were the world's; in a chain the last file decides, as in elastix."""
        return self.record is not None and not self.record.use_direction_cosines

    def in_world(self, moving_grid: Grid | None = None) -> AbstractTransform:
        """The map from fixed to moving world points in mm; `moving_grid` is needed where it `ignores_directions`.

        Raises
        ------
        TransformFileError
            If it is needed and not given, or has another dimension; or the file does not say the fixed grid.
        """
        if self.record is None or self.record.use_direction_cosines:
            return self.as_stored
        if moving_grid is None:
            raise TransformFileError(
                'UseDirectionCosines is "false": this transform maps images as if their axes were the world\'s',
                where=str(self.path),
                expected="the moving image beside it, whose axes say what it does in the world",
                remedy="Give that where it can be given (evaluate: --moving-image or --moving-labels), or use "
                "elastix-impact transformix, which does the same to the images",
            )
        if moving_grid.dimension != self.as_stored.dimension:
            raise TransformFileError(
                f"has {self.as_stored.dimension} dimensions, the moving image {moving_grid.dimension}",
                where=str(self.path),
                remedy="Give the transform of these images",
            )
        fixed_grid = known_grid(self.record, self.path)
        to_bare = _between(fixed_grid, fixed_grid.without_direction())
        to_world = _between(moving_grid.without_direction(), moving_grid)
        return CompositeTransform(CompositeTransform(to_bare, self.as_stored), to_world)


def read_transform(path: Path) -> StoredTransform:
    """The transform in a file of elastix (with its chain), of ITK, or in an image of displacements in mm.

    A name of an initial transform is tried from the file's own folder, then from the working directory (elastix tries
    them the other way round, and so may pick up a file of another run).

    Raises
    ------
    TransformFileError
        If it is missing, malformed or of a kind that is not supported, or its chain bites its own tail.
    """
    path = Path(path)
    if _is_itk_file(path):
        return StoredTransform(path, read_itk_transform(path))
    if is_field_file(path):
        return StoredTransform(path, read_displacement_field(path))
    record = read_transform_file(path)
    return StoredTransform(path, _with_those_before(record, path, ()), record)


def read_initial_transform(path: Path, moving_grid: Grid | None = None) -> AbstractTransform:
    """The map from fixed to moving world points in mm that a file holds; see `read_transform`.

    Parameters
    ----------
    moving_grid
        The moving image's, for a file with ``UseDirectionCosines "false"``.

    Raises
    ------
    TransformFileError
        As `read_transform`; or if it has ``UseDirectionCosines "false"`` and no `moving_grid` is given.
    """
    return read_transform(path).in_world(moving_grid)


def _between(source: Grid, target: Grid) -> AffineTransform:
    """The map in mm of every voxel of a grid to the same voxel of another."""
    matrix = target.matrix(Frame.INDEX, Frame.WORLD) @ source.matrix(Frame.WORLD, Frame.INDEX)
    return AffineTransform(torch.cat([matrix[:-1, :-1].flatten(), matrix[:-1, -1]]), (0.0,) * source.dimension)


def _is_itk_file(path: Path) -> bool:
    """Whether a file is ITK's by its suffix or its first words."""
    if not path.is_file():
        raise TransformFileError("no such transform file", where=str(path), remedy="Check the path")
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise TransformFileError(
            f"can't be read: {error.strerror}", where=str(path), remedy="Check its permissions"
        ) from error
    return path.suffix.lower() in _ITK_SUFFIXES or start.startswith(b"#Insight Transform File")


def _with_those_before(record: TransformRecord, path: Path, seen: tuple[Path, ...]) -> AbstractTransform:
    """The transform of a file on top of the chain that it names; `seen` are the files that led here."""
    if record.initial is None:
        return record.transform
    before = beside(record.initial, path)
    if not before.is_file():
        raise TransformFileError(
            f"its initial transform {record.initial} is missing",
            where=str(path),
            expected=f"{before.absolute()} or {record.initial.absolute()}",
            remedy="Put the file there, or correct InitialTransformParameterFileName",
        )
    seen = (*seen, path.resolve())
    if before.resolve() in seen:
        raise TransformFileError(
            "the chain of initial transforms comes back to this file",
            where=str(before),
            remedy="Correct InitialTransformParameterFileName",
        )
    initial = _with_those_before(read_transform_file(before), before, seen)
    return CompositeTransform(initial, record.transform, record.combination)
