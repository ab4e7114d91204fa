"""Whether a level's transform folds where its samples are drawn."""

import torch

from elastix_impact.samplers.fixed import GridSampler
from elastix_impact.transforms.base import AbstractTransform

from .build import LevelImages

PLACES = 100_000
"""Places of a regular lattice at which the Jacobian determinant is looked at, about."""


def share_folded(transform: AbstractTransform, images: LevelImages) -> float:
    """Share of the places in the sampling mask whose Jacobian determinant is not positive; both in the loop's frame."""
    sampler = GridSampler(images.fixed.grid, images.sampling_mask, images.fixed.data.device, number_of_samples=PLACES)
    with torch.no_grad():
        folded = [torch.linalg.det(transform.spatial_jacobian(p)) <= 0 for p in sampler.draw().split(1 << 14)]
    return float(torch.cat(folded).double().mean())
