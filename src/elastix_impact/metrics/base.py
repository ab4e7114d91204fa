"""What a metric is: a number that is smaller when the images match better."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from torch import Tensor

from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points, Scalar


@final
@dataclass(frozen=True, eq=False)
class MetricValue:
    """What one evaluation gives, all tensors on the loop's device.

    Attributes
    ----------
    value
        Scalar to be minimised, differentiable with respect to the transform's parameters.
    valid_fraction
        Scalar in [0, 1]: share of the samples that lie inside the moving image and mask.
    parts
        Scalars worth a column in the iteration table, e.g. raw values per layer, by name.
    """

    value: Scalar
    valid_fraction: Scalar
    parts: dict[str, Tensor]


class AbstractMetric(ABC):
    """Made once per level; evaluated once per iteration at the points that a sampler drew.

    What changes from iteration to iteration changes by another metric taking its place, so that a loop can go back to
    where it was.
    """

    @abstractmethod
    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """The metric at fixed `world_points` (N, D) in mm, moving points by `transform`."""

    def begin_iteration(self, iteration: int, transform: AbstractTransform) -> "AbstractMetric":
        """The metric of iteration `iteration` (0-based) of a level, from that of the one before; most stay the same."""
        del iteration, transform
        return self

    def carried(self) -> dict[str, Tensor]:
        """What `begin_iteration` has changed since the level's start, as far as it can't be made again from less."""
        return {}

    def with_carried(self, carried: Mapping[str, Tensor], transform: AbstractTransform) -> "AbstractMetric":
        """The metric at the level's start as `begin_iteration` had changed it; `transform` is of the level's kind."""
        del carried, transform
        return self

    def use_less_memory(self) -> bool:
        """Called when memory ran out in an evaluation: prepare to repeat it with less, or say False."""
        return False
