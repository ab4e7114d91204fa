"""What the samplers share: the voxels of a mask, where indices lie in the world, and random numbers."""

import torch
from jaxtyping import Int
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Frame, Grid, flip_axis_order
from elastix_impact.typing import Points

FlatIndices = Int[Tensor, "V"]
"""Voxels as places in a flattened volume, x running fastest."""


def mask_voxels(grid: Grid, mask: Tensor, device: torch.device | str) -> FlatIndices:
    """The voxels where `mask` (bool, (z, )y, x) is true: 4 bytes each, ascending, on `device`.

    Raises
    ------
    InputError
        If the mask does not fit the grid or is empty.
    """
    if tuple(mask.shape) != grid.shape:
        raise InputError(
            f"the fixed mask has shape {tuple(mask.shape)}, the image {grid.shape} (axes z, y, x)",
            remedy="Give a mask on the grid of the fixed image",
        )
    voxels = mask.flatten().nonzero().squeeze(1)
    if voxels.numel() == 0:
        raise InputError(
            "the fixed mask has no voxel inside, so that there is no point to compare the images at",
            expected="a mask that is non-zero somewhere, also after erosion",
            remedy='Check the mask, or set ErodeFixedMask to "false"',
        )
    dtype = torch.int32 if grid.number_of_voxels < 2**31 else torch.int64
    return voxels.to(dtype=dtype, device=device)


def voxel_indices(voxels: FlatIndices, grid: Grid) -> Points:
    """Indices (V, D) ordered x, y(, z), float32, of voxels given as places in the flattened volume."""
    axes = []
    for size in grid.size[:-1]:
        rows = torch.div(voxels, size, rounding_mode="floor")
        axes.append(voxels - rows * size)
        voxels = rows
    return torch.stack([*axes, voxels], dim=1).float()


def index_to_world(grid: Grid, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Origin (D,) and matrix (D, D), float32, so that world points are `index_points @ matrix + origin`."""
    matrix = grid.matrix(Frame.INDEX, Frame.WORLD)[: grid.dimension].float().to(device)
    return matrix[:, -1].contiguous(), matrix[:, :-1].T.contiguous()


def last_index(grid: Grid, device: torch.device | str) -> Tensor:
    """Index (D,) of the last voxel, size - 1 per axis, float32."""
    return torch.tensor([n - 1 for n in grid.size], dtype=torch.float32, device=device)


def uniform(shape: tuple[int, ...], device: torch.device, generator: torch.Generator | None) -> Tensor:
    """Numbers uniform in [0, 1) on `device`, drawn where the generator lives: CPU and GPU can agree."""
    source = device if generator is None else generator.device
    return torch.rand(shape, generator=generator, device=source).to(device, non_blocking=True)


def random_below(limit: int, count: int, device: torch.device, generator: torch.Generator | None) -> Tensor:
    """`count` integers uniform in [0, limit), int64, on `device`, drawn where the generator lives."""
    source = device if generator is None else generator.device
    return torch.randint(limit, (count,), generator=generator, device=source).to(device, non_blocking=True)


def lattice(
    start: tuple[int, ...], spacing: tuple[int, ...], count: tuple[int, ...], device: torch.device | str
) -> Points:
    """Indices (N, D) of a regular lattice; `start`, `spacing`, `count` ordered x, y(, z), x runs fastest."""
    axes = [
        (torch.arange(n, device=device) * step + first).float()
        for first, step, n in reversed(list(zip(start, spacing, count)))
    ]
    zyx = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, len(axes))
    return flip_axis_order(zyx)


def require_samples(number_of_samples: int) -> None:
    """Refuse a number of samples that is not positive."""
    if number_of_samples < 1:
        raise InputError(
            f"NumberOfSpatialSamples is {number_of_samples}",
            expected="at least 1",
            remedy="Ask for 1000 or more",
        )
