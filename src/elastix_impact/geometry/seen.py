"""Where an image was really seen: its box without the constant padding around it."""

from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from .image import Image

Mask = NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)

LEAST_BORDER_SHARE = 0.01
"""Share of the voxels on the image's faces that a value must have to be padding."""

MOST_VALUES = 3
"""Values that padding may have at once: a round CT that was turned has two."""

LEAST_PADDING = 0.001
"""Share of the image below which a constant region is no padding."""

LEAST_SEEN_BORDER = 0.05
"""Share of the faces' voxels that what was seen touches, unless it is convex."""

LEAST_CONVEX = 0.95
"""Share of its convex hull that a field of view fills: turned boxes fill 1, skull-stripped brains 0.91."""


def seen_mask(image: Image) -> Image | None:
    """Where the image was seen, a bool mask on its grid; None where that is everywhere.

    Padding is a connected region of one constant value (or of up to `MOST_VALUES`) that touches the image's faces:
    what surrounds a round CT, or fills the corners of a turned image. A region counts as constant in blocks of two
    voxels per axis, so that noise whose dark half was clipped to one value, as air in a CT, is none.

    Anatomy on a black background (a skull-stripped brain) is not padded: its background was seen, and its outline says
    where it lies. It is told from a field of view by its shape: it hardly touches the image's faces, and isn't convex.
    Where the anatomy is cut by the faces (a head in exact zeros) this can't be told, and the background counts as
    padding.
    """
    values = image.data.detach().cpu().numpy()
    of_values = [values == value for value in _frequent_on_faces(values)]
    if not of_values:
        return None
    constant = np.logical_or.reduce(of_values)
    blocks = _padding_blocks(np.logical_or.reduce([_all_in_blocks(mask) for mask in of_values]))
    if not blocks.any():
        return None
    seen = ~(constant & _to_voxels(_grown(blocks), values.shape))
    if not seen.any() or (_on_faces(seen).mean() < LEAST_SEEN_BORDER and not _is_convex(seen)):
        return None
    return Image(torch.from_numpy(seen), image.grid, image.name, image.pixel_type)


def _on_faces(volume: NDArray[Scalar]) -> NDArray[Scalar]:
    """The voxels of the faces, those on edges more than once."""
    return np.concatenate([volume.take(end, axis).ravel() for axis in range(volume.ndim) for end in (0, -1)])


def _frequent_on_faces(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """The values that many voxels of the faces have, the most frequent first."""
    found, counts = np.unique(_on_faces(values), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    return found[order[counts[order] >= max(2.0, LEAST_BORDER_SHARE * counts.sum())]]


def _all_in_blocks(mask: Mask) -> Mask:
    """Which blocks of two voxels per axis are true throughout; a last voxel without a partner is a block."""
    for axis in range(mask.ndim):
        even = np.moveaxis(mask, axis, 0)
        blocks = even[0::2].copy()
        blocks[: len(even) // 2] &= even[1::2]
        mask = np.moveaxis(blocks, 0, axis)
    return mask


def _padding_blocks(blocks: Mask) -> Mask:
    """The connected regions of `blocks` that touch the faces and are large enough."""
    from scipy.ndimage import label

    regions: NDArray[np.int32] = np.empty(blocks.shape, dtype=np.int32)
    label(blocks, output=regions)
    sizes = np.bincount(regions.ravel())
    touching = np.zeros(len(sizes), dtype=bool)
    touching[_on_faces(regions)] = True
    touching &= sizes >= LEAST_PADDING * blocks.size
    touching[0] = False
    return touching[regions]


def _grown(blocks: Mask) -> Mask:
    """The blocks and their neighbours along the axes and diagonals."""
    for axis in range(blocks.ndim):
        line = np.moveaxis(blocks, axis, 0)
        grown = line.copy()
        grown[1:] |= line[:-1]
        grown[:-1] |= line[1:]
        blocks = np.moveaxis(grown, 0, axis)
    return blocks


def _to_voxels(blocks: Mask, shape: tuple[int, ...]) -> Mask:
    """The blocks' voxels in a volume of this shape."""
    for axis, size in enumerate(shape):
        blocks = blocks.repeat(2, axis).take(range(size), axis)
    return blocks


def _is_convex(mask: Mask) -> bool:
    """Whether the mask has about as many voxels as the hull of their centres has volume."""
    from scipy.spatial import ConvexHull

    rows = mask.reshape(-1, mask.shape[-1])
    used = np.flatnonzero(rows.any(1))
    lines = np.stack(np.unravel_index(used, mask.shape[:-1]), axis=1)
    first, last = rows[used].argmax(1), mask.shape[-1] - 1 - rows[used, ::-1].argmax(1)
    ends = np.concatenate([np.c_[lines, first], np.c_[lines, last]])
    is_flat = bool((np.ptp(ends, axis=0) < 2).any())
    return is_flat or int(mask.sum()) >= LEAST_CONVEX * ConvexHull(ends.astype(float)).volume
