"""What all results of one request share: the transform, its inverse where that is asked for, and the grid."""

import warnings
from functools import cached_property
from pathlib import Path
from typing import final

from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Grid
from elastix_impact.io.images import read_image
from elastix_impact.io.read_transform import read_transform
from elastix_impact.io.warning import InputWarning
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.transforms.dense import inverse_on
from elastix_impact.transforms.inverse import Inversion

from .apply import DEFAULT_ORDER, Direction, checked_order
from .request import ApplyRequest


@final
class Scope:
    """A request's transform and grid, each read or computed when it is first needed.

    Attributes
    ----------
    transform
        Map from fixed to moving world points in mm.

    Raises
    ------
    InputError
        If a transform file can't be used, --inverse leaves open where points go, the grid is not known, or there is
        no inverse.
    """

    def __init__(self, request: ApplyRequest) -> None:
        if request.inverse and request.direction is None and (request.points or request.meshes):
            raise InputError(
                "--inverse is about images, and does not say where points go",
                where="command line",
                remedy="Give --direction fixed-to-moving or moving-to-fixed",
            )
        self._request = request
        first, *others = (read_transform(path) for path in request.transforms)
        self.transform: AbstractTransform = first.in_world()
        for other in others:
            self.transform = CompositeTransform(self.transform, other.in_world())
        self._record = first.record

    @property
    def direction(self) -> Direction:
        """Where points go."""
        return self._request.direction or "fixed-to-moving"

    @property
    def default_value(self) -> float:
        """Of voxels that come from outside an image."""
        if self._request.default_value is not None:
            return self._request.default_value
        return 0.0 if self._record is None else self._record.resample.default_pixel_value

    @property
    def order(self) -> int:
        """Of the interpolation of images; raises TransformFileError if the file's is none of ours."""
        if self._request.order is not None:
            return self._request.order
        return DEFAULT_ORDER if self._record is None else checked_order(self._record, self._request.transforms[0])

    @cached_property
    def grid(self) -> Grid:
        """Of the results: the reference image's, or the fixed image's as the transform file says."""
        request = self._request
        if request.reference is not None:
            return self._grid_of(request.reference)
        known = None if self._record is None else self._record.fixed_grid
        if request.inverse or known is None:
            why = "the inverse ends on the moving image" if request.inverse else "the transform file does not say"
            raise InputError(
                f"the grid of the results is not known: {why}",
                where="command line",
                remedy=f"Give the {'moving' if request.inverse else 'fixed'} image with --reference",
            )
        return known

    @property
    def grid_of_points(self) -> Grid | None:
        """Of the image that points to be carried lie in, None where it is not known."""
        from_fixed = self.direction == "fixed-to-moving"
        if from_fixed and self._record is not None and self._record.fixed_grid is not None:
            return self._record.fixed_grid
        known = self._request.reference is not None and from_fixed != self._request.inverse
        return self.grid if known else None

    @property
    def used(self) -> AbstractTransform:
        """Map from world points of `grid` to those of the images that are resampled."""
        return self.transform if not self._request.inverse else self._inverse[0]

    @property
    def note(self) -> str:
        """How good the inverse is, if it is one that was iterated."""
        inversion = self._inverse[1] if self._request.inverse else None
        if inversion is None or bool(inversion.failed.all()):
            return ""
        return residual_note(float(inversion.residual[~inversion.failed].max()))

    @cached_property
    def _inverse(self) -> tuple[AbstractTransform, Inversion | None]:
        inverse, inversion = inverse_on(self.transform, self.grid, self._fixed_grid())
        lost = 0 if inversion is None else int(inversion.failed.sum())
        if lost:
            warnings.warn(
                f"{lost} of {self.grid.number_of_voxels} voxels have no inverse: they come from beyond the fixed image",
                InputWarning,
                stacklevel=1,
            )
        return inverse, inversion

    def _fixed_grid(self) -> Grid | None:
        """The transform file's, else that of the first image to be resampled, which is a fixed one."""
        if self._record is not None and self._record.fixed_grid is not None:
            return self._record.fixed_grid
        images = (*self._request.images, *self._request.labels)
        return self._grid_of(images[0]) if images else None

    def _grid_of(self, path: Path) -> Grid:
        grid = read_image(path, allow_constant=True).grid
        if grid.dimension != self.transform.dimension:
            raise InputError(
                f"has {grid.dimension} dimensions, the transform {self.transform.dimension}",
                where=str(path),
                remedy="Give an image like those that were registered",
            )
        return grid


def residual_note(residual: float) -> str:
    """A residual in mm in words."""
    return f"residual of the inverse at most {residual:.1e} mm"
