"""A metric and its gradient by a transform's parameters, with less memory where there is not enough."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from elastix_impact.errors import MemoryShortError
from elastix_impact.metrics.base import AbstractMetric, MetricValue
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.zoo.failures import is_memory_short

Result = TypeVar("Result")


def value_and_gradient(
    metric: AbstractMetric, transform: AbstractTransform, parameters: Tensor, world_points: Tensor
) -> tuple[MetricValue, Tensor]:
    """The metric at `parameters` and its gradient (P,)."""

    def measure() -> tuple[MetricValue, Tensor]:
        leaf = parameters.detach().requires_grad_()
        measured = metric.evaluate(transform.with_parameters(leaf), world_points)
        (gradient,) = torch.autograd.grad(measured.value, leaf)
        return measured, gradient

    return with_enough_memory(metric, measure)


def with_enough_memory(metric: AbstractMetric, work: Callable[[], Result]) -> Result:
    """What `work` returns, repeated with less memory as long as memory runs out and `metric` can do with less.

    Raises
    ------
    MemoryShortError
        If it can't.
    """
    while True:
        try:
            return work()
        except (RuntimeError, MemoryError, MemoryShortError) as error:
            if not is_memory_short(error):
                raise
            shortage = _explained(error)
        if not metric.use_less_memory():
            raise shortage


def _explained(error: BaseException) -> MemoryShortError:
    """What to raise; free of the traceback, which holds on to the tensors of the failed attempt."""
    if isinstance(error, MemoryShortError):
        error.__cause__ = error.__context__ = None
        return error.with_traceback(None)
    return MemoryShortError(
        "memory ran out during the registration",
        remedy="Ask for fewer NumberOfSpatialSamples or smaller ImpactPatchSize, or run with --device cpu",
    )
