"""MIND of many small volumes at once, each by itself: what is compared while searching.

The descriptor of `zoo.export.mind` with radius and dilation 1. It is written for speed here: sums over patches are sums
of shifted volumes, and no volume of a batch depends on the others.
"""

from functools import cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from elastix_impact.zoo.export.mind import neighbour_pairs

from .coarse import Coarse, inner
from .shapes import FeatureVolumes, Volumes

LEAST_SPREAD = 0.01
"""Share of a volume's mean distance between patches below which differences are noise."""


def mind(volumes: Volumes, seen: Volumes) -> FeatureVolumes:
    """Self-similarity context of each volume, 12 channels in 3-D and 4 in 2-D, values in (0, 1].

    Parameters
    ----------
    seen
        1 where a volume was seen, else 0: what counts in its mean distance.
    """
    dimension = volumes.ndim - 1
    wide = F.pad(volumes.unsqueeze(1), [1, 1] * dimension, mode="replicate")
    pairs = neighbour_pairs(dimension)
    squares = [(_neighbour(wide, first) - _neighbour(wide, second)).square() for first, second in pairs]
    distances = box_sums(torch.cat(squares, 1))
    distances -= distances.amin(1, keepdim=True)
    spread = distances.mean(1, keepdim=True)
    axes = tuple(range(2, dimension + 2))
    weights = seen.unsqueeze(1)
    typical = (spread * weights).sum(axes, keepdim=True) / weights.sum(axes, keepdim=True).clamp_min(1)
    return distances.div_(spread.clamp_min(LEAST_SPREAD * typical).clamp_min(1e-12)).neg_().exp_()


def described(
    image: Coarse, size: tuple[int, ...], steps: Float[Tensor, "K D D"], middles: Float[Tensor, "K D"]
) -> tuple[FeatureVolumes, Volumes]:
    """MIND of an image at K lattices of `size`, and 1 where it rests on what was seen.

    Parameters
    ----------
    steps, middles
        Of the lattices, in mm: their steps (columns), and the world points of their middles.
    """
    values, seen = image.on(size, torch.cat([steps, middles.unsqueeze(2)], dim=2))
    return mind(values, seen), inner(seen)


def box_sums(volumes: FeatureVolumes) -> FeatureVolumes:
    """Sums over 3 voxels along each axis; beyond the border the last values hold."""
    for axis in range(2, volumes.ndim):
        length = volumes.shape[axis]
        sums = volumes.clone()
        sums.narrow(axis, 1, length - 1).add_(volumes.narrow(axis, 0, length - 1))
        sums.narrow(axis, 0, length - 1).add_(volumes.narrow(axis, 1, length - 1))
        sums.select(axis, 0).add_(volumes.select(axis, 0))
        sums.select(axis, -1).add_(volumes.select(axis, -1))
        volumes = sums
    return volumes


def _neighbour(wide: Tensor, step: list[int]) -> Tensor:
    """Each voxel's neighbour one step (z, )y, x away, in volumes padded by 1."""
    for axis, along in enumerate(step):
        wide = wide.narrow(axis + 2, 1 + along, wide.shape[axis + 2] - 2)
    return wide


@cache
def turned_channels(dimension: int, turn: tuple[tuple[int, ...], ...]) -> list[int]:
    """Of which channel each is where volumes that were read at places l are taken at `turn` l, x, y(, z)."""
    matrix = torch.tensor(turn).flip(0, 1)
    pairs = [frozenset((tuple(first), tuple(second))) for first, second in neighbour_pairs(dimension)]
    turned = [frozenset(tuple((matrix @ torch.tensor(step)).tolist()) for step in pair) for pair in pairs]
    return [pairs.index(pair) for pair in turned]
