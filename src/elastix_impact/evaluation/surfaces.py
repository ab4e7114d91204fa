"""Distances between the surfaces of two regions: the 95th percentile Hausdorff distance and the mean distance.

A surface is the voxels of a region with a face neighbour outside it; what lies beyond the image is outside. Distances
go from voxel centre to nearest voxel centre. HD95 is the larger of the two directed 95th percentiles (Taha & Hanbury,
"Metrics for evaluating 3D medical image segmentation", BMC Medical Imaging 2015), ASSD the mean over all distances
of both directions. MONAI's `compute_hausdorff_distance` and `compute_average_surface_distance` are defined so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np

if TYPE_CHECKING:
    from scipy.spatial import KDTree

PERCENTILE = 95.0


@final
@dataclass(frozen=True)
class SurfaceDistance:
    """How far two surfaces are apart, mm."""

    hd95: float
    assd: float


@final
class Surface:
    """The surface of one region, which can be compared with others.

    Parameters
    ----------
    region
        Booleans ((z, )y, x), some of them true.
    corner
        Index of the array's first voxel in the whole image, along the axes of the array.
    spacing
        Size of a voxel along the axes of the array, mm.
    """

    def __init__(self, region: np.ndarray, corner: Sequence[int], spacing: Sequence[float]) -> None:
        from scipy.ndimage import binary_erosion

        places = np.argwhere(region & np.logical_not(binary_erosion(region))) + np.asarray(corner)
        self.points: np.ndarray = places * np.asarray(spacing)
        """Places (N, D) in mm of the voxels on it, axes as in the array."""

    def distances_from(self, points: np.ndarray) -> np.ndarray:
        """Distances (N,) in mm from points (N, D) to the nearest voxel of the surface."""
        return self._tree.query(points)[0]

    @cached_property
    def _tree(self) -> "KDTree":
        from scipy.spatial import KDTree

        return KDTree(self.points)


def surface_distance(first: Surface, second: Surface) -> SurfaceDistance:
    """Distances between two surfaces in one image."""
    there, back = second.distances_from(first.points), first.distances_from(second.points)
    hd95 = max(np.percentile(there, PERCENTILE), np.percentile(back, PERCENTILE))
    return SurfaceDistance(float(hd95), float(np.concatenate([there, back]).mean()))
