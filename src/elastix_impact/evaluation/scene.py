"""Two images made ready to be compared at the same places under any transform.

Both are smoothed and shrunk to one voxel size in mm, so that noise and unlike voxels weigh little, and looked at on a
regular lattice inside what the fixed image really shows. None of it depends on a registration's own samples.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.geometry.domain import Domain
from elastix_impact.geometry.field import ScalarField
from elastix_impact.geometry.grid import Frame
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.pyramid import pyramid_level
from elastix_impact.transforms.base import AbstractTransform

from .places import places_in

MOST_VOXELS = {2: 1 << 16, 3: 1 << 19}
"""Voxels of the smoothed images per dimension, about."""

MOST_PLACES = 30_000
"""Places at which the images are compared; a measure takes a fraction of a second with so many."""

SMOOTHING = 0.7
"""Standard deviation of the smoothing in units of the common voxel size."""


@final
@dataclass(frozen=True, eq=False)
class Look:
    """What a transform T does at the places of a scene, and what the moving image shows there.

    Attributes
    ----------
    mapped
        T(x), world points in mm, float64 (N, D).
    jacobian
        dT/dx (N, D, D).
    seen
        Which of the places the moving image shows (N,).
    """

    mapped: Tensor
    jacobian: Tensor
    seen: Tensor


@final
@dataclass(frozen=True, eq=False)
class Scene:
    """A pair of images at fixed places.

    Attributes
    ----------
    points
        World points in mm of the places, float64 (N, D).
    values, slopes
        The smoothed fixed image there, (N,), and its gradient per mm (N, D).
    spacing
        The common voxel size, mm.
    extent
        Longest side of the fixed image, mm.
    """

    points: Tensor
    values: Tensor
    slopes: Tensor
    spacing: float
    extent: float
    _moving: ScalarField
    _domain: Domain
    _offset: Tensor

    @staticmethod
    def of(
        fixed: Image,
        moving: Image,
        *,
        fixed_seen: Image | None = None,
        moving_seen: Image | None = None,
        most_places: int = MOST_PLACES,
    ) -> "Scene":
        """The scene of two images.

        Parameters
        ----------
        fixed_seen, moving_seen
            Where the images count: masks, or what `seen_mask` finds; None = everywhere.
        """
        spacing = common_spacing(fixed, moving)
        offset = tuple(-c for c in fixed.grid.centre)
        smooth_fixed, smooth_moving = (_reduced(one, spacing).shifted(offset) for one in (fixed, moving))
        places = places_in(smooth_fixed.shifted(fixed.grid.centre).grid, fixed_seen, most_places)
        shift = torch.tensor(offset, dtype=torch.float64)
        local = (places.world_points + shift).float()
        values, slopes = _values_and_slopes(ScalarField.from_volume(smooth_fixed.data, smooth_fixed.grid, 1), local)
        domain = Domain.of(moving.grid.shifted(offset), _shifted(moving_seen, offset), "cpu")
        field = ScalarField.from_volume(smooth_moving.data, smooth_moving.grid, 1)
        return Scene(places.world_points, values, slopes, spacing, max(fixed.grid.extent), field, domain, shift)

    def look(self, transform: AbstractTransform | None) -> Look:
        """What a transform does at the places; None = the identity."""
        if transform is None:
            identity = torch.eye(self.points.shape[1], dtype=torch.float64)
            return Look(self.points, identity.expand(len(self.points), -1, -1), self.are_seen(self.points))
        transform = transform.to(torch.float64).without_gradients()
        with torch.no_grad():
            mapped, jacobian = transform.map_points(self.points), transform.spatial_jacobian(self.points)
        return Look(mapped, jacobian, self.are_seen(mapped))

    def are_seen(self, mapped: Tensor) -> Tensor:
        """Which of some moving world points (N, D) the moving image shows."""
        return self._domain.weights((mapped + self._offset).float()) > 0

    def moving_at(self, mapped: Tensor) -> tuple[Tensor, Tensor]:
        """The smoothed moving image at world points (N, D) and its gradient per mm (N, D)."""
        return _values_and_slopes(self._moving, (mapped + self._offset).float())


def looks(scene: Scene, transforms: Mapping[str, AbstractTransform | None]) -> dict[str, Look]:
    """What each of several transforms does, by name."""
    return {name: scene.look(transform) for name, transform in transforms.items()}


def common_spacing(fixed: Image, moving: Image) -> float:
    """The voxel size in mm at which both images are compared: isotropic, no finer than the coarser image in plane."""
    dimension = fixed.grid.dimension
    volume = math.prod(fixed.grid.extent)
    coarse = (volume / MOST_VOXELS[dimension]) ** (1 / dimension)
    finest = max(min(fixed.grid.spacing), min(moving.grid.spacing))
    return max(coarse, finest)


def _reduced(image: Image, spacing: float) -> Image:
    """The image smoothed and, where its voxels are finer than `spacing`, on coarser ones."""
    factor = tuple(max(1.0, spacing / one) for one in image.grid.spacing)
    sigma = tuple(SMOOTHING * spacing / one for one in image.grid.spacing)
    return pyramid_level(image, "Generic", factor, sigma)


def _shifted(mask: Image | None, offset: tuple[float, ...]) -> Image | None:
    return None if mask is None else mask.shifted(offset)


def _values_and_slopes(field: ScalarField, local_points: Tensor) -> tuple[Tensor, Tensor]:
    """Values (N,) and gradients per mm (N, D), float64."""
    values, per_axis = field.per_chunk(local_points, derivatives=True)
    to_index = field.grid.matrix(Frame.WORLD, Frame.INDEX)[:-1, :-1]
    return values[:, 0].double(), per_axis[..., 0].T.double() @ to_index
