"""Patches around samples: where their points lie, and the features at their centres."""

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.patches import Patches, PatchValues
from elastix_impact.typing import Features, Points

from .features import ModelInput


@final
class PatchPlan:
    """The patches of one model: `patch_size` points spaced `voxel_size` mm along the fixed image's axes.

    A 2-D model's patch on a 3-D image is a plane, turned at random for each sample at each draw.

    Parameters
    ----------
    model_input
        Its patch and voxel sizes are ordered x, y(, z).
    grid
        The fixed image's grid.
    generator
        Draws the planes' angles.
    """

    def __init__(self, model_input: ModelInput, grid: Grid, generator: torch.Generator, device: torch.device) -> None:
        size, spacing = model_input.patch_size, model_input.voxel_size[: model_input.dimension]
        missing = grid.dimension - model_input.dimension
        lattice = _centred_lattice(size + (1,) * missing, spacing + (1.0,) * missing, grid)
        self._offsets = lattice.world_points().to(torch.float32).to(device)
        self._lattice = None if missing else lattice
        self._direction = torch.tensor(grid.direction, dtype=torch.float32, device=device)
        self._generator = generator
        self.shape = tuple(size[::-1])

    def patches(self, world_points: Points) -> Patches:
        """The patches around `world_points` (N, D)."""
        if self._lattice is not None:
            return Patches(world_points, self._offsets, self._lattice)
        angles = torch.rand(len(world_points), 3, generator=self._generator) * (2 * math.pi)
        turn = self._direction @ _rotations(angles.to(world_points)) @ self._direction.T
        return Patches(world_points, self._offsets @ turn.transpose(1, 2), None)


def _centred_lattice(size: tuple[int, ...], spacing: tuple[float, ...], grid: Grid) -> Grid:
    """A lattice along the axes of `grid` whose middle point, the upper one of an even number, is the world's origin."""
    first = torch.tensor([-(n // 2) * s for n, s in zip(size, spacing)], dtype=torch.float64)
    origin = torch.tensor(grid.direction, dtype=torch.float64) @ first
    return Grid(size, spacing, tuple(origin.tolist()), grid.direction)


def _rotations(angles: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3 3"]:
    """Rotations about x, then y, then z."""
    (cx, cy, cz), (sx, sy, sz) = angles.cos().unbind(1), angles.sin().unbind(1)
    rows = [
        torch.stack([cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx], dim=1),
        torch.stack([sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx], dim=1),
        torch.stack([-sy, cy * sx, cy * cx], dim=1),
    ]
    return torch.stack(rows, dim=1)


def centre_features(
    model_input: ModelInput, values: PatchValues, shape: tuple[int, ...], stats: Float[Tensor, "4"], direction: Tensor
) -> list[Features]:
    """Features (N, C) of each selected layer at the middle of the patches, differentiable by the intensities.

    Parameters
    ----------
    values
        Intensities (N, K, 1), x fastest.
    shape
        Of a patch, (z, )y, x.
    stats, direction
        See `FeatureModel`.

    Raises
    ------
    ModelError
        If the model can't run on such patches, or returns other layers than its mask says.
    """
    batch = values.view(-1, 1, *shape).expand(-1, model_input.channels, *shape)
    layers = model_input.model.selected_layers(batch, model_input.layers_mask, stats, direction)
    return [_at_centre(layer) for layer in layers]


def _at_centre(layer: Tensor) -> Features:
    """The features of the middle voxels, copied: a view would keep the whole layer in memory."""
    return layer[(slice(None), slice(None), *(n // 2 for n in layer.shape[2:]))].clone()
