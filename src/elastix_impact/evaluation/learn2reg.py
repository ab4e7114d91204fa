"""The measures of the Learn2Reg challenge exactly as its evaluation computes them, its peculiarities included.

Hering et al., "Learn2Reg: Comprehensive Multi-Task Medical Image Registration Challenge", IEEE TMI 42, 2023;
evaluation 2.0 of github.com/MDL-UzL/L2R. All of it works on arrays (x, y, z) and a field of displacements in voxels
(x, y, z, 3), which takes voxels of the fixed image to voxels of the moving one, both of the same size. Peculiarities:

- The Jacobian is of central differences, two voxels at every border are left out, and 3 is added to the determinant
  before it is clipped to [1e-9, 1e9] and its logarithm taken; folded voxels are counted after that, so that their
  number is always 0.
- HD95 takes a voxel as 1 mm whatever the spacing, and weighs surface elements by their area.
- Labels that the fixed or the unmoved moving image lacks are NaN; means leave them out.
- Displacements at landmarks are interpolated by cubic splines, and lengths taken with the moving image's spacing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, distance_transform_edt, map_coordinates

from elastix_impact.errors import InputError

Array = NDArray[Any]

BORDER = 2
CLIP = (1e-9, 1e9)
ADDED = 3


def jacobian_determinants(displacement: Array) -> Array:
    """Determinants (x - 4, y - 4, z - 4) of a field of voxel displacements (x, y, z, 3)."""
    matrices = np.empty((*displacement.shape, 3))
    for component in range(3):
        for axis in range(3):
            slope = correlate1d(displacement[..., component], [-0.5, 0.0, 0.5], axis=axis, mode="constant")
            matrices[..., component, axis] = slope + (component == axis)
    inner = (slice(BORDER, -BORDER),) * 3
    return np.linalg.det(matrices[inner])


def sdlogj(displacement: Array, mask: Array | None = None) -> tuple[float, float]:
    """SDlogJ, and the number of folded voxels (always 0, see above); `mask` (x, y, z) is 1 where voxels count."""
    determinants = (jacobian_determinants(displacement) + ADDED).clip(*CLIP)
    logarithms = np.log(determinants)
    if mask is not None:
        inner = (slice(BORDER, -BORDER),) * 3
        logarithms = np.ma.MaskedArray(logarithms, 1 - mask[inner])
    return float(logarithms.std()), float((determinants <= 0).sum())


def target_errors(fixed: Array, moving: Array, displacement: Array, moving_spacing: Sequence[float]) -> Array:
    """Errors (N,) in mm of landmarks (N, 3) given in voxels."""
    moved = [map_coordinates(displacement[..., axis], fixed.T) for axis in range(3)]
    return np.linalg.norm((fixed + np.stack(moved, 1) - moving) * np.asarray(moving_spacing), axis=1)


def warped_labels(moving: Array, displacement: Array) -> Array:
    """Moving labels (x, y, z) seen from the fixed image: the nearest voxel, 0 beyond the last ones."""
    identity = np.stack(np.meshgrid(*(np.arange(n) for n in displacement.shape[:3]), indexing="ij"))
    return map_coordinates(moving, identity + displacement.transpose(3, 0, 1, 2), order=0)


def dice_scores(fixed: Array, moving: Array, warped: Array, labels: Sequence[int]) -> list[float]:
    """Dice per label."""
    return [_dice(fixed == v, warped == v) if _in_both(fixed, moving, v) else np.nan for v in labels]


def hd95_scores(fixed: Array, moving: Array, warped: Array, labels: Sequence[int]) -> list[float]:
    """HD95 per label, in voxels.

    Raises
    ------
    InputError
        If the package surface-distance, which has the areas of surface elements, is not installed.
    """
    areas, kernel = _surface_elements()
    return [_hd95(fixed == v, warped == v, areas, kernel) if _in_both(fixed, moving, v) else np.nan for v in labels]


def _in_both(fixed: Array, moving: Array, label: int) -> bool:
    return bool((fixed == label).any() and (moving == label).any())


def _dice(first: Array, second: Array) -> float:
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def _surface_elements() -> tuple[Array, Array]:
    """Area by the code of a voxel corner's eight neighbours, and the weights (2, 2, 2) that make the code."""
    try:
        from surface_distance import lookup_tables
    except ImportError as error:
        raise InputError(
            "HD95 as Learn2Reg computes it needs the package surface-distance",
            remedy='Install it: pip install "elastix-impact[learn2reg]"',
        ) from error
    return (
        lookup_tables.create_table_neighbour_code_to_surface_area([1.0, 1.0, 1.0]),
        np.asarray(lookup_tables.ENCODE_NEIGHBOURHOOD_3D_KERNEL),
    )


def _hd95(first: Array, second: Array, areas: Array, kernel: Array) -> float:
    box = tuple(slice(axis.min(), axis.max() + 1) for axis in (first | second).nonzero())
    codes = [_corner_codes(region[box], kernel) for region in (first, second)]
    borders = [(code != 0) & (code != kernel.sum()) for code in codes]
    if not all(border.any() for border in borders):
        return float("inf")
    ways = []
    for (code, border), other in zip(zip(codes, borders), reversed(borders)):
        ways.append(_weighted_percentile(distance_transform_edt(~other)[border], areas[code[border]]))  # pyright: ignore[reportOptionalSubscript, reportArgumentType]
    return max(ways)


def _corner_codes(region: Array, kernel: Array) -> Array:
    """The code of every voxel corner of the region: which of the eight voxels around it belong to it."""
    wide = np.pad(region, 1).astype(np.int64)
    sizes = tuple(n - 1 for n in wide.shape)
    codes = np.zeros(sizes, dtype=np.int64)
    for offset in np.ndindex(2, 2, 2):
        window = tuple(slice(o, o + n) for o, n in zip(offset, sizes))
        codes += int(kernel[offset]) * wide[window]
    return codes


def _weighted_percentile(distances: Array, weights: Array) -> float:
    """The distance below which 95 % of the area lies."""
    order = np.lexsort((weights, distances))
    cumulated = np.cumsum(weights[order]) / weights.sum()
    place = int(np.searchsorted(cumulated, 0.95))
    return float(distances[order][min(place, len(distances) - 1)])
