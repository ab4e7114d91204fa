"""Where a linear transform starts: the centre of its matrix and a first translation."""

from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

from elastix_impact.errors import ImageError, InputError
from elastix_impact.geometry.grid import Grid, Row
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.masks import index_box, mask_on

AlignmentMethod = Literal["GeometricalCenter", "CenterOfGravity", "Origins", "GeometryTop"]


@final
@dataclass(frozen=True)
class Alignment:
    """Centre (a fixed world point) and translation, both in mm."""

    centre: Row
    translation: Row


def initial_alignment(
    method: AlignmentMethod,
    fixed: Image,
    moving: Image,
    *,
    fixed_mask: Image | None = None,
    moving_mask: Image | None = None,
) -> Alignment:
    """The centre and the translation that bring two images roughly together.

    elastix gives masks to its affine transform only, and knows ``Origins`` and ``GeometryTop`` only there.

    Parameters
    ----------
    method
        ``"GeometricalCenter"``: the middles of the images (of the bounding boxes of the masks) meet.
        ``"CenterOfGravity"``: the intensity-weighted means (inside the masks) of all voxels meet.
        ``"Origins"``: the first voxels meet. ``"GeometryTop"`` (3-D): middle in x and y, and top in z, meet.
    fixed, moving
        The images.
    fixed_mask, moving_mask
        Boolean images, on any grid.

    Raises
    ------
    ImageError
        For a mask without voxels or, with ``"CenterOfGravity"``, an image whose intensities sum to zero.
    InputError
        For ``"GeometryTop"`` in 2-D.
    """
    if method == "Origins":
        return _align_origins(fixed.grid, moving.grid)
    if method == "GeometryTop":
        return _align_tops(fixed, moving, fixed_mask, moving_mask)
    find = _centre_of_gravity if method == "CenterOfGravity" else _middle
    fixed_point, moving_point = find(fixed, fixed_mask), find(moving, moving_mask)
    return Alignment(_row(fixed_point), _row(moving_point - fixed_point))


def _align_origins(fixed: Grid, moving: Grid) -> Alignment:
    translation = _vector(moving.origin) - _vector(fixed.origin)
    return Alignment(_row(_vector(moving.centre) - translation), _row(translation))


def _align_tops(fixed: Image, moving: Image, fixed_mask: Image | None, moving_mask: Image | None) -> Alignment:
    if fixed.grid.dimension != 3:
        raise InputError(
            'the initialisation "GeometryTop" needs 3-D images',
            where="AutomaticTransformInitializationMethod",
            remedy='use "GeometricalCenter" or "CenterOfGravity"',
        )
    fixed_low, fixed_high = _world_box(fixed, fixed_mask)
    moving_low, moving_high = _world_box(moving, moving_mask)
    centre = (fixed_low + fixed_high) / 2
    translation = (moving_low + moving_high) / 2 - centre
    translation[2] = moving_high[2] - fixed_high[2]
    return Alignment(_row(centre), _row(translation))


def _world_box(image: Image, mask: Image | None) -> tuple[Tensor, Tensor]:
    """Lowest and highest world coordinates of the corners; elastix takes them at `first` and `last + 1`."""
    grid, first, last = _index_box(image, mask)
    corners = torch.cartesian_prod(*torch.stack([first, last + 1], dim=1))
    world_points = grid.to_world(corners)
    return world_points.amin(0), world_points.amax(0)


def _middle(image: Image, mask: Image | None) -> Tensor:
    grid, first, last = _index_box(image, mask)
    return grid.to_world(((first + last) / 2).unsqueeze(0))[0]


def _index_box(image: Image, mask: Image | None) -> tuple[Grid, Tensor, Tensor]:
    """First and last index (D,) of the image, or of the voxels of its mask, and the grid they refer to."""
    if mask is None:
        return image.grid, torch.zeros(image.grid.dimension, dtype=torch.float64), _vector(image.grid.size) - 1
    box = index_box(mask.data.bool())
    if box is None:
        raise ImageError("the mask has no voxels", where=mask.name, expected="at least one voxel above zero")
    first, last = (_vector(corner[::-1]) for corner in box)
    return mask.grid, first, last


def _centre_of_gravity(image: Image, mask: Image | None) -> Tensor:
    """World point (D,) of the mean of all voxels' positions, weighted by intensity."""
    weights = image.data.double().cpu()
    if mask is not None:
        weights = weights * mask_on(image.grid, mask).cpu()
    mass = weights.sum()
    if mass == 0:
        raise ImageError(
            "its intensities sum to zero, so it has no centre of gravity",
            where=image.name,
            remedy='use (AutomaticTransformInitializationMethod "GeometricalCenter")',
        )
    dimension = weights.ndim
    means = []
    for axis in range(dimension):
        others = tuple(d for d in range(dimension) if d != dimension - 1 - axis)
        marginal = weights.sum(dim=others)
        means.append(marginal @ torch.arange(len(marginal), dtype=torch.float64) / mass)
    return image.grid.to_world(torch.stack(means).unsqueeze(0))[0]


def _vector(row: Row | tuple[int, ...]) -> Tensor:
    return torch.tensor(row, dtype=torch.float64)


def _row(vector: Tensor) -> Row:
    return tuple(vector.tolist())
