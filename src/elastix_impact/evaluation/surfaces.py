"""Distances between the surfaces of two regions: the 95th percentile Hausdorff distance and the mean distance.

A surface is the voxels of a region with a face neighbour outside it; what lies beyond the image is outside. Distances
go from voxel centre to nearest voxel centre. HD95 is the larger of the two directed 95th percentiles (Taha & Hanbury,
"Metrics for evaluating 3D medical image segmentation", BMC Medical Imaging 2015), ASSD the mean over all distances
of both directions. MONAI's `compute_hausdorff_distance` and `compute_average_surface_distance` are defined so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.spatial import KDTree

PERCENTILE = 95.0


@final
@dataclass(frozen=True)
class SurfaceDistance:
    """How far two surfaces are apart, mm."""

    hd95: float
    assd: float


def surface_distance(first: np.ndarray, second: np.ndarray, spacing: Sequence[float]) -> SurfaceDistance:
    """Distances between the surfaces of two regions, neither empty.

    Parameters
    ----------
    first, second
        Booleans ((z, )y, x) of equal shape.
    spacing
        Size of a voxel along the axes of the arrays, mm.
    """
    ends = [_surface(region) * np.asarray(spacing) for region in (first, second)]
    there, back = KDTree(ends[1]).query(ends[0])[0], KDTree(ends[0]).query(ends[1])[0]
    hd95 = max(np.percentile(there, PERCENTILE), np.percentile(back, PERCENTILE))
    return SurfaceDistance(float(hd95), float(np.concatenate([there, back]).mean()))


def _surface(region: np.ndarray) -> np.ndarray:
    """Indices (N, D) of the voxels on the surface."""
    return np.argwhere(region & ~binary_erosion(region))
