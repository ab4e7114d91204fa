"""Several metrics at once: their weighted sum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.typing import Points

from .base import AbstractMetric, MetricValue

_NO_GRADIENT = 1e-10
"""Gradient norm up to which a relative weight is 1, as in elastix."""


@final
@dataclass(frozen=True, eq=False)
class MetricTerm:
    """One metric of a sum.

    Attributes
    ----------
    name
        What its value is called in `MetricValue.parts`; its own parts are called ``"name part"``.
    metric
        The metric.
    weight
        Metric<i>Weight, or Metric<i>RelativeWeight where weights are relative.
    samples
        Its rows of the points that the sum is evaluated at, from `JointSampler.rows`; None = all of them. A metric
        that uses no samples has ``slice(0, 0)``.
    """

    name: str
    metric: AbstractMetric
    weight: float
    samples: slice | None = None


@final
class CombinedMetric(AbstractMetric):
    """The weighted sum of metrics of one level.

    Its parts are each metric's value before weighting and, with relative weights, the norm of its gradient as
    ``"name gradient"``. Its valid fraction is the smallest of the metrics'.

    Parameters
    ----------
    terms
        The metrics with their weights; at least one, names all different.
    use_relative_weights
        Whether metric i is scaled so that its gradient is as long as that of the first metric times its weight
        (elastix's UseRelativeWeights): the sum has then another value, and means less, at every iteration. A metric
        whose gradient is zero gets weight 1.

    Raises
    ------
    InputError
        If there is no metric, or two have one name.
    """

    def __init__(self, terms: Sequence[MetricTerm], *, use_relative_weights: bool) -> None:
        names = [term.name for term in terms]
        if not names or len(set(names)) < len(names):
            raise InputError(
                f"a sum of metrics can't be made of {names}", expected="at least one metric, and names that differ"
            )
        self._terms, self._relative = tuple(terms), use_relative_weights

    def begin_iteration(self, iteration: int, transform: AbstractTransform) -> "CombinedMetric":
        """The sum of what each metric becomes."""
        return self._with([term.metric.begin_iteration(iteration, transform) for term in self._terms])

    def carried(self) -> dict[str, Tensor]:
        """That of each metric, under its name."""
        return {f"{term.name}/{key}": value for term in self._terms for key, value in term.metric.carried().items()}

    def with_carried(self, carried: Mapping[str, Tensor], transform: AbstractTransform) -> "CombinedMetric":
        """The sum of the metrics with theirs."""
        own: dict[str, dict[str, Tensor]] = {term.name: {} for term in self._terms}
        for name, value in carried.items():
            term_name, _, key = name.partition("/")
            own[term_name][key] = value
        return self._with([term.metric.with_carried(own[term.name], transform) for term in self._terms])

    def _with(self, metrics: Sequence[AbstractMetric]) -> "CombinedMetric":
        if all(metric is term.metric for metric, term in zip(metrics, self._terms)):
            return self
        terms = [replace(term, metric=metric) for term, metric in zip(self._terms, metrics)]
        return CombinedMetric(terms, use_relative_weights=self._relative)

    def use_less_memory(self) -> bool:
        """Ask the metrics in turn until one can."""
        return any(term.metric.use_less_memory() for term in self._terms)

    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """The weighted sum, each metric at its own rows of `world_points`."""
        if self._relative:
            return self._evaluate_relative(transform, world_points)
        measured = self._measure(transform, world_points)
        value = torch.stack([term.weight * m.value for term, m in zip(self._terms, measured)]).sum()
        return MetricValue(value, _smallest_fraction(measured), self._parts(measured))

    def _evaluate_relative(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        """The sum with weights that depend on the gradients, which are therefore computed here, one by one."""
        leaf = transform.parameters.detach().requires_grad_()
        with torch.enable_grad():
            measured = self._measure(transform.with_parameters(leaf), world_points)
            gradients = torch.stack([torch.autograd.grad(m.value, leaf)[0] for m in measured])
        norms = torch.linalg.vector_norm(gradients, dim=1)
        scaled = torch.stack([term.weight * norms[0] for term in self._terms])
        weights = torch.where(norms > _NO_GRADIENT, scaled / norms, 1.0)
        total = torch.stack([m.value.detach() for m in measured]).dot(weights)
        value = _WithGradient.apply(transform.parameters, total, weights @ gradients)
        parts = self._parts(measured)
        parts |= {f"{term.name} gradient": norm for term, norm in zip(self._terms, norms.unbind())}
        return MetricValue(value, _smallest_fraction(measured), parts)

    def _measure(self, transform: AbstractTransform, world_points: Tensor) -> list[MetricValue]:
        return [term.metric.evaluate(transform, world_points[term.samples or slice(None)]) for term in self._terms]

    def _parts(self, measured: Sequence[MetricValue]) -> dict[str, Tensor]:
        parts = {term.name: m.value.detach() for term, m in zip(self._terms, measured)}
        for term, m in zip(self._terms, measured):
            parts |= {f"{term.name} {part}": value for part, value in m.parts.items()}
        return parts


def _smallest_fraction(measured: Sequence[MetricValue]) -> Tensor:
    return torch.stack([m.valid_fraction for m in measured]).amin()


class _WithGradient(torch.autograd.Function):
    """A value whose gradient by the parameters is known already."""

    @staticmethod
    def forward(ctx: Any, parameters: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradients[0] * gradient, None, None
