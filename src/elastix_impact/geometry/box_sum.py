"""Sums over a window around every voxel, or around some of them, and back."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Stack = Float[Tensor, "C *spatial"]
Sums = Float[Tensor, "C *boxes"]


def box_sum(volumes: Stack, radius: int, stride: int = 1) -> Sums:
    """Sums of volumes (C, (z, )y, x) over boxes of ``2 * radius + 1`` voxels per axis; beyond the border lie zeros.

    Boxes lie around the voxels 0, stride, 2 * stride, ... of each axis. Separable: 2 * radius additions of whole
    volumes per axis, of ever smaller ones if the stride is larger than 1. Differentiable.
    """
    for axis in range(1, volumes.ndim):
        size = volumes.shape[axis]
        wide = F.pad(volumes, [0, 0] * (volumes.ndim - 1 - axis) + [radius, radius])
        total = _every(wide, axis, 0, size, stride) + _every(wide, axis, 1, size, stride) if radius else wide
        for shift in range(2, 2 * radius + 1):
            total += _every(wide, axis, shift, size, stride)
        volumes = total
    return volumes


def box_spread(sums: Sums, radius: int, stride: int, shape: tuple[int, ...]) -> Stack:
    """The transpose of `box_sum`: every voxel of volumes of this shape gets the sum of the boxes that it lies in.

    With a stride of 1 that is `box_sum` itself.
    """
    if stride == 1:
        return box_sum(sums, radius)
    for axis in reversed(range(1, sums.ndim)):
        size = shape[axis - 1]
        wide = sums.new_zeros(*sums.shape[:axis], size + 2 * radius, *sums.shape[axis + 1 :])
        for shift in range(2 * radius + 1):
            _every(wide, axis, shift, size, stride).add_(sums)
        sums = wide.narrow(axis, radius, size)
    return sums


def _every(wide: Tensor, axis: int, first: int, size: int, stride: int) -> Tensor:
    """`size` voxels along an axis from `first` on, or every stride-th of them."""
    part = wide.narrow(axis, first, size)
    return part if stride == 1 else part[(slice(None),) * axis + (slice(None, None, stride),)]
