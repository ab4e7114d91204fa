"""Normalised correlation of two masked feature maps at all shifts at once, by FFT.

The sum over the places that both see, for every shift: Padfield, "Masked object registration in the Fourier domain",
IEEE TIP 21(5), 2012. Features are compared as vectors: their channels' means over all that an image saw are taken off
once, and products and energies are summed over channels before the inverse transform, so that 4 inverse transforms are
enough however many channels there are.
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from .shapes import Features, FeatureVolumes, Volumes

NOWHERE = -2.0
"""The correlation where too little is seen by both."""

_FACTORS = (2, 3, 5)


def masked_features(features: FeatureVolumes, seen: Volumes) -> FeatureVolumes:
    """Features less their means where they were seen and 0 elsewhere, then their energy, then `seen`."""
    axes = tuple(range(2, features.ndim))
    weights = seen.unsqueeze(1)
    mean = (features * weights).sum(axes, keepdim=True) / weights.sum(axes, keepdim=True).clamp_min(1)
    centred = (features - mean) * weights
    return torch.cat([centred, centred.square().sum(1, keepdim=True), weights], dim=1)


@final
@dataclass(frozen=True, eq=False)
class FixedSpectrum:
    """The transform of the fixed masked features, conjugate, on a lattice of `shape` ((z, )y, x).

    `places` is how many of its voxels were seen.
    """

    shape: tuple[int, ...]
    spectrum: Tensor
    places: float

    @staticmethod
    def of(features: Features, shape: tuple[int, ...]) -> "FixedSpectrum":
        """That of one of `masked_features`; `shape` as `wide_enough` says."""
        return FixedSpectrum(shape, _transform(features, shape).conj().resolve_conj(), float(features[-1].sum()))

    def correlations(self, features: FeatureVolumes, minimum_overlap: float) -> Volumes:
        """Correlations, -1 to 1, with K moving `masked_features`, times the root of the share seen by both.

        That is how far a correlation stands out of those of noise: with few places high ones come by chance. `NOWHERE`
        where too little is seen by both.

        Entry s, negative ones at the end of each axis, compares fixed voxel i with moving voxel i + s.

        Parameters
        ----------
        minimum_overlap
            Share of the smaller of the two seen regions that both must see.
        """
        axes = tuple(range(1, len(self.shape) + 1))
        moving, fixed = _transform(features, self.shape), self.spectrum
        dot = fixed[0] * moving[:, 0]
        for channel in range(1, len(fixed) - 2):
            dot.addcmul_(fixed[channel], moving[:, channel])
        fixed_energy, moving_energy = fixed[-2] * moving[:, -1], fixed[-1] * moving[:, -2]
        products = dot, fixed_energy, moving_energy, fixed[-1] * moving[:, -1]
        dot, fixed_energy, moving_energy, both = (torch.fft.irfftn(one, s=self.shape, dim=axes) for one in products)
        smaller = features[:, -1].sum(axes, keepdim=True).clamp(min=1, max=max(self.places, 1.0))
        values = dot * (fixed_energy.clamp_min(1e-3) * moving_energy.clamp_min(1e-3)).rsqrt()
        values *= (both / smaller).clamp(0, 1).sqrt()
        return torch.where(both + 0.5 >= (minimum_overlap * smaller).clamp_min(1), values, NOWHERE)


def wide_enough(fixed: tuple[int, ...], moving: tuple[int, ...], minimum_overlap: float) -> tuple[int, ...]:
    """The size per axis at which shifts that leave so much overlap don't wrap into each other; fast for the FFT."""
    return tuple(_fast(max(a, b) + math.ceil((1 - minimum_overlap) * min(a, b)) + 1) for a, b in zip(fixed, moving))


def _fast(length: int) -> int:
    """The next length whose prime factors are all in `_FACTORS`."""
    while True:
        rest = length
        for factor in _FACTORS:
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1


def _transform(volumes: Tensor, shape: tuple[int, ...]) -> Tensor:
    return torch.fft.rfftn(volumes, s=shape, dim=tuple(range(volumes.ndim - len(shape), volumes.ndim)))
