"""Masks from files, on the grid of the image that they belong to."""

import warnings
from pathlib import Path

from elastix_impact.errors import ImageError
from elastix_impact.geometry.grid import Grid, Row, flip_axis_order
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.masks import mask_on

from .images import read_image
from .warning import InputWarning


def read_mask(path: Path, like: Grid) -> Image:
    """The mask in a file: true where its voxels are not zero, on the grid `like`.

    Raises
    ------
    ImageError
        If it can't be read, has another dimension than its image, is empty, or does not overlap its image.

    Warns
    -----
    InputWarning
        If its grid differs from `like`, so that it had to be resampled.
    """
    image = read_image(path, allow_constant=True)
    if image.grid.dimension != like.dimension:
        raise ImageError(
            f"the mask has {image.grid.dimension} dimensions, its image {like.dimension}",
            where=str(path),
            expected=f"a mask of {like.dimension} dimensions",
            remedy="Give the mask of this image",
        )
    mask = Image(image.data != 0, image.grid, image.name, image.pixel_type)
    inside = int(mask.data.sum())
    if inside == 0:
        raise ImageError(
            "the mask is empty: all its voxels are 0",
            where=str(path),
            expected="1 where the image counts",
            remedy="Draw the mask again, or leave it out",
        )
    if mask.grid.same_as(like):
        return Image(mask.data, like, mask.name, mask.pixel_type)
    warnings.warn(
        f"{path}: the mask of {_words(mask.grid)} was resampled onto its image's grid of {_words(like)}",
        InputWarning,
        stacklevel=2,
    )
    resampled = mask_on(like, mask)
    if not bool(resampled.any()):
        raise ImageError(
            f"the mask does not overlap its image: its {inside} voxels, around {_words_of(_middle(mask))} mm, "
            f"lie outside the image around {_words_of(like.centre)} mm",
            where=str(path),
            remedy="Give the mask of this image, in the same world coordinates",
        )
    return Image(resampled, like, mask.name, mask.pixel_type)


def _words(grid: Grid) -> str:
    return f"{'x'.join(map(str, grid.size))} voxels of {' x '.join(f'{s:.4g}' for s in grid.spacing)} mm"


def _middle(mask: Image) -> Row:
    """Mean world position in mm of the voxels inside."""
    index_points = flip_axis_order(mask.data.nonzero().double().mean(dim=0, keepdim=True))
    return tuple(mask.grid.to_world(index_points)[0].tolist())


def _words_of(world_point: Row) -> str:
    return "(" + ", ".join(f"{c:.0f}" for c in world_point) + ")"
