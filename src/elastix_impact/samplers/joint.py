"""Several samplers as one, for metrics that have a sampler each."""

import itertools
from collections.abc import Sequence
from typing import final

import torch

from elastix_impact.errors import InputError
from elastix_impact.typing import Points

from .base import AbstractSampler


@final
class JointSampler(AbstractSampler):
    """Draws from samplers in turn and joins their points.

    Parameters
    ----------
    samplers
        At least one, of images of one dimension and on one device.

    Raises
    ------
    InputError
        If there is none.
    """

    def __init__(self, samplers: Sequence[AbstractSampler]) -> None:
        if not samplers:
            raise InputError("there is no sampler to draw points from", expected="at least one ImageSampler")
        self._samplers = tuple(samplers)

    @property
    def is_random(self) -> bool:
        """Whether any of them is."""
        return any(sampler.is_random for sampler in self._samplers)

    @property
    def number_of_samples(self) -> int:
        """The sum of theirs."""
        return sum(sampler.number_of_samples for sampler in self._samplers)

    @property
    def rows(self) -> tuple[slice, ...]:
        """Where the points of each sampler lie among those that `draw` returns."""
        ends = list(itertools.accumulate(sampler.number_of_samples for sampler in self._samplers))
        return tuple(slice(start, end) for start, end in zip([0, *ends], ends))

    def draw(self, generator: torch.Generator | None = None) -> Points:
        """World points in mm, (number_of_samples, D): those of the first sampler, of the second, and so on."""
        return torch.cat([sampler.draw(generator) for sampler in self._samplers])
