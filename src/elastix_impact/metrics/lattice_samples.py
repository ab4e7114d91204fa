"""All points of a lattice as samples: it lies along the control points, where a spline is a few matrix products."""

from dataclasses import dataclass
from typing import final

from torch import Tensor

from elastix_impact.errors import ImageError
from elastix_impact.geometry.domain import Domain
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.lattice_points import LatticePoints
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.straighten import Straightened, lattice_around
from elastix_impact.typing import Points, Weights1


@final
@dataclass(frozen=True, eq=False)
class LatticeSamples:
    """The N points of a lattice between the linear part of a transform and the B-spline after it.

    Attributes
    ----------
    lattice
        The points after the linear part, parallel to the control points.
    places
        The same points in the fixed image's world, mm (N, D).
    weights
        1 where the fixed image counts, else 0, (N,).
    """

    _straight: Straightened
    lattice: LatticePoints
    places: Points
    weights: Weights1

    @staticmethod
    def of(
        fixed: Image, counts: Tensor | None, sampling_mask: Tensor | None, start: AbstractTransform, spacing: float,
        margin: int = 0,
    ) -> "LatticeSamples":  # fmt: skip
        """A lattice around what counts of the fixed image.

        Parameters
        ----------
        fixed
            The level's image, in the loop's frame and on its device.
        counts
            Around which of its voxels the lattice lies, bool on its grid, or None for all.
        sampling_mask
            Which of its voxels count, bool on its grid, or None for all.
        start
            The transform at the level's start: it says how the lattice lies.
        spacing
            Distance of the points in mm, at least; no axis is finer than the fixed image.
        margin
            Points that are added on all sides.

        Raises
        ------
        ImageError
            If no voxel of the fixed image counts.
        """
        device = fixed.data.device
        straight = Straightened.of(start)
        wanted = sampling_mask if counts is None else counts if sampling_mask is None else counts & sampling_mask
        grid = lattice_around(straight, fixed.grid, wanted, spacing, margin)
        if grid is None:
            raise ImageError(
                "no voxel of the fixed image counts",
                where=fixed.name,
                expected="a mask that covers a part of it, and more than one value there",
            )
        lattice = LatticePoints.of(grid, fixed.data.dtype, device)
        places = straight.fixed_points(lattice.points)
        mask = None if sampling_mask is None else Image(sampling_mask.to(device), fixed.grid)
        return LatticeSamples(straight, lattice, places, Domain.of(fixed.grid, mask, device).weights(places))

    def mapped(self, transform: AbstractTransform) -> Points:
        """Where a transform of the kind of `start` takes the places, mm (N, D)."""
        return self._straight.rest(transform).map_lattice(self.lattice)
