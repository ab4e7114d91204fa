"""Patches around samples: where their points lie, and the features at their centres."""

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.errors import ModelError
from elastix_impact.geometry.field import ScalarField
from elastix_impact.geometry.grid import Grid
from elastix_impact.typing import Features, Points

from .features import ModelInput

PatchPoints = Float[Tensor, "N K D"]


@final
class PatchPlan:
    """The patch points of one model: `patch_size` points spaced `voxel_size` mm along the fixed image's axes.

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
        size, dimension = model_input.patch_size, model_input.dimension
        index_points = Grid.axis_aligned(size, (1.0,) * dimension).index_points(torch.float32)
        middle = torch.tensor([n // 2 for n in size], dtype=torch.float32)
        offsets = (index_points - middle) * torch.tensor(model_input.voxel_size[:dimension], dtype=torch.float32)
        missing = grid.dimension - dimension
        self._turns = missing > 0
        self._offsets = torch.nn.functional.pad(offsets, [0, missing]).to(device)
        self._direction = torch.tensor(grid.direction, dtype=torch.float32, device=device)
        self._generator = generator
        self.shape = tuple(size[::-1])

    def points(self, world_points: Points) -> PatchPoints:
        """World points (N, K, D) of the patches around `world_points` (N, D); x runs fastest."""
        if not self._turns:
            return world_points[:, None] + self._offsets @ self._direction.T
        angles = torch.rand(len(world_points), 3, generator=self._generator) * (2 * math.pi)
        turned = torch.einsum("nij,kj->nki", _rotations(angles.to(world_points)), self._offsets)
        return world_points[:, None] + turned @ self._direction.T


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
    model_input: ModelInput,
    field: ScalarField,
    patch_points: PatchPoints,
    shape: tuple[int, ...],
    stats: Float[Tensor, "4"],
    direction: Tensor,
) -> list[Features]:
    """Features (N, C) of each selected layer at the middle of the patches, differentiable by the points.

    Parameters
    ----------
    field
        The image.
    patch_points
        Where the image is read, (N, K, D).
    shape
        Of a patch, (z, )y, x.

    Raises
    ------
    ModelError
        If the model can't run on such patches, or returns other layers than its mask says.
    """
    values = field.values(patch_points.flatten(0, 1)).view(-1, 1, *shape)
    batch = values.expand(-1, model_input.channels, *shape)
    layers = model_input.model(batch, len(model_input.layers_mask), stats, direction)
    if len(layers) != len(model_input.layers_mask):
        raise ModelError(
            f"the model returned {len(layers)} layers, the layers mask has {len(model_input.layers_mask)} characters",
            where=str(model_input.model.path),
            remedy=f"Write an ImpactLayersMask of {len(layers)} characters, one per layer",
        )
    return [_at_centre(layer) for layer, wanted in zip(layers, model_input.layers_mask) if wanted]


def _at_centre(layer: Tensor) -> Features:
    return layer[(slice(None), slice(None), *(n // 2 for n in layer.shape[2:]))]
