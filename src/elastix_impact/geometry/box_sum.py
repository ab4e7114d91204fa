"""Sums over a window around every voxel."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Stack = Float[Tensor, "C *spatial"]


def box_sum(volumes: Stack, radius: int) -> Stack:
    """Sums of volumes (C, (z, )y, x) over boxes of ``2 * radius + 1`` voxels per axis; beyond the border lie zeros.

    Separable: 2 * radius additions of whole volumes per axis. Differentiable.
    """
    for axis in range(1, volumes.ndim):
        size = volumes.shape[axis]
        wide = F.pad(volumes, [0, 0] * (volumes.ndim - 1 - axis) + [radius, radius])
        total = wide.narrow(axis, 0, size) + wide.narrow(axis, 1, size) if radius else wide
        for shift in range(2, 2 * radius + 1):
            total += wide.narrow(axis, shift, size)
        volumes = total
    return volumes
