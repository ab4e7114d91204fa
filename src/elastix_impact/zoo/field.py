"""The receptive field of one voxel of a layer, from gradients along one axis of the image."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

LOCAL_OVER_BACKGROUND = 5.0
"""A voxel belongs to the receptive field if its gradient is this many times that of far voxels."""

LEVEL_WITHIN = 2.0
"""Far voxels are background if the gradient changes by no more than this factor there."""

NEGLIGIBLE = 1e-6
"""Gradients below this share of the largest one are rounding."""


@final
@dataclass(frozen=True, eq=False)
class SeenLayer:
    """What was seen of a layer along an axis.

    `gradients` are magnitudes for its middle voxel, summed over the channels, (SEEDS, length, voxels of the other
    axes), or None if the layer is not differentiable; `of_next` (1, length, ...) are those of the voxel after it.
    """

    channels: int
    size: int
    gradients: Tensor | None
    of_next: Tensor | None


def middle_gradient(layer: Tensor, image: Tensor, axis: int, shift: int) -> Tensor | None:
    """Magnitudes (length, voxels of the other axes) of the gradient of a random mixture of a voxel's channels.

    The voxel is the middle one, or `shift` voxels after it along `axis`.
    """
    if not layer.requires_grad:
        return None
    voxel = [n // 2 for n in layer.shape[2:]]
    voxel[axis] = min(voxel[axis] + shift, layer.shape[axis + 2] - 1)
    features = layer[(0, slice(None), *voxel)]
    mixture = torch.linspace(-1, 1, features.shape[0] + 2)[1:-1].cos() * features
    try:
        (gradient,) = torch.autograd.grad(mixture.sum(), image, retain_graph=True, allow_unused=True)
    except (RuntimeError, NotImplementedError):
        return None
    return None if gradient is None else gradient[0].abs().sum(0).movedim(axis, 0).flatten(1)


def moves_along(seen: SeenLayer, stride: float, first: int, last: int) -> bool:
    """Whether every image shows the same field, and the next voxel's lies one stride further: a chain of convolutions.

    In a decoder the fields of neighbours share the deep layers' voxels: their middles jump from one to the next. What
    stands out little from a norm's background differs from image to image.
    """
    if seen.gradients is None or seen.of_next is None or stride != int(stride):
        return True
    fields = [local_support(profile.sum(1))[:2] for profile in (*seen.gradients, seen.of_next)]
    step = int(stride)
    return fields == [*[(first, last)] * len(seen.gradients), (first + step, last + step)]


def local_support(profile: Tensor) -> tuple[int, int, float, bool]:
    """First and last voxel of a receptive field, its middle, and whether it is complete.

    `profile` (L,) is a gradient's magnitude along an axis. Global statistics (an instance norm) give every
    voxel a small gradient; the field is what stands out from it. It is complete if the profile vanishes
    towards its ends, or is level there and far wider than the field. An incomplete field is centred by its
    squared weight, to half a voxel.
    """
    eighth = len(profile) // 8
    ends, inner = (
        torch.cat([profile[start : start + eighth], profile.flip(0)[start : start + eighth]]).mean()
        for start in (0, eighth)
    )
    floor = NEGLIGIBLE * profile.max()
    inside = profile > torch.maximum(LOCAL_OVER_BACKGROUND * ends, floor)
    places = inside.nonzero().flatten().tolist() or [0, len(profile) - 1]
    first, last = places[0], places[-1]
    level = bool(inner <= torch.maximum(LEVEL_WITHIN * ends, floor))
    if level and (bool(ends <= floor) or 4 * (last - first + 1) < len(profile)):
        return first, last, (first + last) / 2, True
    weight = profile.square()
    centre = (weight * torch.arange(len(profile))).sum() / weight.sum()
    return first, last, round(2 * float(centre)) / 2, False
