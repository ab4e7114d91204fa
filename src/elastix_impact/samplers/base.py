"""What a sampler is: it says at which fixed points the images are compared."""

from abc import ABC, abstractmethod

import torch

from elastix_impact.typing import Points


class AbstractSampler(ABC):
    """Draws world points in mm on the device where the loop runs.

    A sampler is made once per level from the fixed image's grid and mask; `draw` may be called once per
    iteration and must not synchronise a GPU with the host: it always returns the same number of points.
    """

    @property
    @abstractmethod
    def is_random(self) -> bool:
        """Whether `draw` gives other points each time."""

    @property
    @abstractmethod
    def number_of_samples(self) -> int:
        """How many points `draw` returns."""

    @abstractmethod
    def draw(self, generator: torch.Generator | None = None) -> Points:
        """World points in mm, (number_of_samples, D), float32."""
