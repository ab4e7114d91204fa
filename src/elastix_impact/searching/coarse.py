"""An image made small for searching: smoothed and shrunk once, with the region that it saw, read at any turned grid."""

import math
from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from elastix_impact.errors import ImageError
from elastix_impact.geometry.grid import Frame, Grid
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.masks import index_box, mask_on
from elastix_impact.geometry.pyramid import pyramid_level
from elastix_impact.geometry.seen import seen_mask

from .shapes import Features, Volumes

TAILS = 0.005
"""Share of the seen intensities at either end that is cut off."""

LEAST_SEEN = 0.75
"""Share of a voxel that must have been seen."""


@final
@dataclass(frozen=True, eq=False)
class Region:
    """An image cut to the box of what was seen in it, intensities in [0, 1].

    Attributes
    ----------
    image, seen
        Intensities, and 1 where the image was seen and the mask, if there is one, is true, else 0; on one grid.
    """

    image: Image
    seen: Image

    @staticmethod
    def of(image: Image, mask: Image | None) -> "Region":
        """The region of an image and its mask.

        Raises
        ------
        ImageError
            If nothing that was seen lies in the mask.
        """
        found = seen_mask(image)
        seen = torch.ones(image.grid.shape, dtype=torch.bool) if found is None else found.data.cpu()
        if mask is not None:
            seen = seen & mask_on(image.grid, mask).cpu()
            if not bool(seen.any()):
                raise ImageError(
                    "the mask covers nothing of the image, so that there is nothing to search with",
                    where=mask.name,
                    expected="at least one voxel above zero inside the image, where it is not constant padding",
                )
        box = index_box(seen)
        assert box is not None
        first, last = box
        cut = tuple(slice(a, b + 1) for a, b in zip(first, last))
        values, seen = image.data.detach().cpu().float()[cut], seen[cut]
        some = values[seen]
        ends = torch.quantile(some[:: 1 + len(some) // 100_000], torch.tensor([TAILS, 1 - TAILS]))
        values = ((values - ends[0]) / (ends[1] - ends[0]).clamp_min(1e-12)).clamp(0, 1)
        grid = image.grid
        origin = grid.to_world(torch.tensor([first[::-1]], dtype=torch.float64))[0].tolist()
        grid = Grid(tuple(values.shape[::-1]), grid.spacing, tuple(origin), grid.direction)
        return Region(Image(values, grid, image.name), Image(seen.float(), grid, image.name))

    @property
    def size(self) -> float:
        """The geometric mean of the sides in mm."""
        extent = self.image.grid.extent
        return math.prod(extent) ** (1 / len(extent))

    def shrunk(self, voxel: float) -> "Coarse":
        """The region smoothed for voxels of `voxel` mm."""
        spacing = self.image.grid.spacing
        factors = tuple(max(1.0, voxel / s) for s in spacing)
        sigmas = tuple(0.5 * f if f > 1 else 0.0 for f in factors)
        both = [pyramid_level(one, "Generic", factors, sigmas) for one in (self.image, self.seen)]
        return Coarse(torch.stack([one.data for one in both]), both[0].grid, self.image.grid.centre)


@final
@dataclass(frozen=True, eq=False)
class Coarse:
    """A smoothed image and how much of each voxel was seen: values (2, *spatial) on a grid."""

    values: Features
    grid: Grid
    centre: tuple[float, ...]

    def on(self, size: tuple[int, ...], matrices: Float[Tensor, "K D E"]) -> tuple[Volumes, Volumes]:
        """Intensities, and 1 where they were seen, at K lattices of `size` (x, y(, z)).

        Parameters
        ----------
        matrices
            From lattice coordinates, 0 in the middle of the lattice, to world points in mm: (K, D, D + 1).
        """
        dimension = len(size)
        to_unit = self._unit() @ _homogeneous(matrices)
        points = (
            centred(size) @ to_unit[:, :dimension, :dimension].float().mT + to_unit[:, None, :dimension, -1].float()
        )
        points = points.view(-1, *size[::-1], dimension)
        read = F.grid_sample(
            self.values.expand(len(points), *self.values.shape), points, padding_mode="border", align_corners=False
        )
        inside = (points.abs() <= 1).all(-1) & (read[:, 1] >= LEAST_SEEN)
        return read[:, 0], inside.float()

    def lattice_size(self, steps: Float[Tensor, "K D D"]) -> tuple[int, ...]:
        """Places per axis x, y(, z) of a lattice with any of these steps in mm (columns) that covers the image."""
        sides = torch.tensor(self.grid.direction, dtype=torch.float64) * torch.tensor(self.grid.extent)
        reach = (torch.linalg.inv(steps) @ sides).abs().sum(2).amax(0)
        return tuple(max(3, round(n)) for n in reach.tolist())

    def _unit(self) -> Tensor:
        """From world points in mm to -1 .. 1 between the outer faces of the grid, x first."""
        size = torch.tensor(self.grid.size, dtype=torch.float64)
        scale = torch.diag(torch.cat([2 / size, torch.ones(1, dtype=torch.float64)]))
        scale[:-1, -1] = 1 / size - 1
        return scale @ self.grid.matrix(Frame.WORLD, Frame.INDEX)


def centred(size: tuple[int, ...]) -> Float[Tensor, "N D"]:
    """Lattice coordinates x, y(, z) of a lattice of `size`, x running fastest, 0 in the middle."""
    axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in reversed(size)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, len(size)).flip(-1)


def inner(seen: Volumes) -> Volumes:
    """1 where a voxel and its neighbours along the axes and diagonals are 1."""
    for axis in range(1, seen.ndim):
        pads = [0, 0] * (seen.ndim - 1 - axis) + [1, 1]
        wide = F.pad(seen, pads)
        length = seen.shape[axis]
        seen = torch.minimum(torch.minimum(wide.narrow(axis, 0, length), wide.narrow(axis, 2, length)), seen)
    return seen


def _homogeneous(matrices: Tensor) -> Tensor:
    last = torch.zeros_like(matrices[:, :1])
    last[..., -1] = 1
    return torch.cat([matrices, last], dim=1)
