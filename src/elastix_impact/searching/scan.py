"""All shifts of many turns: where features of the two images agree."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from .coarse import Coarse
from .correlation import NOWHERE, FixedSpectrum, masked_features, wide_enough
from .mind import described, turned_channels
from .pose import Poses
from .rotations import Rotations, Turns
from .shapes import FeatureVolumes

BATCH = 8
"""Turns at once."""

PEAKS = 4
"""Shifts kept of each turn."""


def scan(fixed: Coarse, moving: Coarse, turns: Turns, voxel: float, minimum_overlap: float) -> Poses:
    """The best shifts of each of `turns`, with the correlation of MIND as score.

    Parameters
    ----------
    turns
        Of the fixed image's axes.
    voxel
        Distance in mm of the lattices' places, along the axes of the fixed image.
    minimum_overlap
        Share of the smaller image that both must see.
    """
    axes = torch.tensor(fixed.grid.direction, dtype=torch.float64)
    centre, middle = (torch.tensor(one.centre, dtype=torch.float64) for one in (fixed, moving))
    identity = torch.eye(len(centre), dtype=torch.float64).unsqueeze(0)
    size = fixed.lattice_size(identity @ axes * voxel)
    moving_size = _moving_size(moving, turns, axes * voxel)
    shape = wide_enough(size, moving_size, minimum_overlap)[::-1]
    spectrum = FixedSpectrum.of(_features(fixed, size, identity @ axes * voxel)[0], shape)
    parts = []
    for rotations, features in turned_features(moving, moving_size, turns, axes, voxel):
        scores = spectrum.correlations(features, minimum_overlap).flatten(1)
        top = scores.topk(min(PEAKS, scores.shape[1]), dim=1)
        shifts = _shifts(top.indices, shape, size, moving_size)
        away = torch.einsum("kij,knj->kni", rotations @ axes * voxel, shifts)
        parts.append(
            (rotations.repeat_interleave(top.indices.shape[1], 0), (middle - centre + away).flatten(0, 1), top)
        )
    scores = torch.cat([top.values.flatten().double() for _, _, top in parts])
    found = Poses(torch.cat([one for one, _, _ in parts]), torch.cat([one for _, one, _ in parts]), centre, scores)
    return found.at((scores > NOWHERE).nonzero()[:, 0])


def turned_features(
    moving: Coarse, size: tuple[int, ...], turns: Turns, axes: Tensor, voxel: float
) -> Iterator[tuple[Rotations, Tensor]]:
    """Batches of rotations, world frame, and the moving masked features (K, C + 2, *spatial) turned by them."""
    bases = axes @ turns.bases @ axes.T
    if len(turns.lattice_turns) == 1:
        for some in bases.split(BATCH):
            yield some, _features(moving, size, some @ axes * voxel)
        return
    for base in bases:
        features = _features(moving, size, (base @ axes * voxel).unsqueeze(0))[0]
        for some in turns.lattice_turns.split(BATCH):
            yield base @ axes @ some @ axes.T, torch.stack([_on_turned_lattice(features, one) for one in some])


def _features(image: Coarse, size: tuple[int, ...], steps: Float[Tensor, "K D D"]) -> FeatureVolumes:
    middle = torch.tensor([image.centre], dtype=torch.float64)
    return masked_features(*described(image, size, steps, middle.expand(len(steps), -1)))


def _on_turned_lattice(features: Tensor, turn: Float[Tensor, "D D"]) -> Tensor:
    """Features (C + 2, *spatial), read at places l, as they are at `turn` l: all sides are equal."""
    dimension = len(turn)
    source = turn.abs().argmax(0).tolist()
    signs = [int(turn[axis, place]) for place, axis in enumerate(source)]
    channels = turned_channels(dimension, tuple(tuple(int(v) for v in row) for row in turn.tolist()))
    order = [dimension - source[dimension - 1 - axis] for axis in range(dimension)]
    flips = [1 + axis for axis in range(dimension) if signs[dimension - 1 - axis] < 0]
    turned = features.permute(0, *order).flip(flips)
    return torch.cat([turned[channels], turned[-2:]])


def _moving_size(image: Coarse, turns: Turns, steps: Float[Tensor, "D D"]) -> tuple[int, ...]:
    """The same for all turns; equal sides where the lattice itself is turned."""
    axes = torch.tensor(image.grid.direction, dtype=torch.float64)
    unit = steps / steps.square().sum(0).sqrt()
    size = image.lattice_size(unit @ turns.bases @ unit.T @ steps)
    return size if len(turns.lattice_turns) == 1 else (max(size),) * len(axes)


def _shifts(places: Tensor, shape: tuple[int, ...], size: tuple[int, ...], moving_size: tuple[int, ...]) -> Tensor:
    """Lattice steps x, y(, z) from the middle of the moving lattice to where that of the fixed one comes to lie."""
    entries, rest = [], places
    for length in reversed(shape):
        entries.append(rest % length)
        rest = rest // length
    wide, less = torch.tensor(shape[::-1]), (torch.tensor(moving_size) - torch.tensor(size)) / 2
    return (torch.stack(entries, dim=-1).double() - less + wide / 2) % wide - wide / 2
