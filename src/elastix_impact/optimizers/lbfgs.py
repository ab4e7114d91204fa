"""Limited-memory BFGS with a line search. Nocedal and Wright, Numerical Optimization, 2006, chapters 3 and 7.

PyTorch's implementation does the work. It decides on the host how far to go, so that it waits for a GPU at every
evaluation: for metrics whose samples stay the same.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from elastix_impact.typing import Vector

from .gain import inverse_roots

ValueAndGradient = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Takes parameters (P,), gives the value and its gradient (P,)."""


@final
@dataclass(frozen=True, kw_only=True)
class LbfgsSettings:
    """`step_length` of the line search's first try, steps remembered, and the gradient's length at which it stops."""

    step_length: float = 1.0
    memory: int = 5
    minimum_gradient_magnitude: float = 1e-6
    line_search_iterations: int = 20


@final
@dataclass(frozen=True, eq=False)
class LbfgsStep:
    """Where an iteration ended: parameters (P,), value and gradient there, and how far it went in scaled parameters."""

    parameters: Vector
    value: float
    gradient_norm: float
    length: float


@final
class Lbfgs:
    """elastix's ``QuasiNewtonLBFGS``: strong Wolfe conditions with constants 1e-4 and 0.9, which are elastix's too.

    Parameters
    ----------
    settings
        See `LbfgsSettings`.
    scales
        (P,) positive numbers, or None for all 1, as for `AdaptiveStochasticGradientDescent`.
    """

    def __init__(self, settings: LbfgsSettings, scales: Vector | None = None) -> None:
        self._settings, self._inverse_roots = settings, inverse_roots(scales)

    def minimise(self, parameters: Vector, evaluate: ValueAndGradient, iterations: int) -> Iterator[LbfgsStep]:
        """Iterations until the gradient is small, the line search finds nothing better, or there were enough."""
        inverse = 1.0 if self._inverse_roots is None else self._inverse_roots
        scaled = (parameters.detach() / inverse).clone().requires_grad_()
        settings = self._settings
        optimizer = torch.optim.LBFGS(
            [scaled], lr=settings.step_length, max_iter=1, max_eval=settings.line_search_iterations + 1,
            history_size=settings.memory, tolerance_grad=0.0, tolerance_change=0.0, line_search_fn="strong_wolfe",
        )  # fmt: skip

        def closure() -> Tensor:
            value, gradient = evaluate(scaled.detach() * inverse)
            scaled.grad = gradient * inverse
            return value.detach()

        for _ in range(iterations):
            before = scaled.detach().clone()
            optimizer.step(closure)
            length = float(torch.linalg.vector_norm(scaled.detach() - before))
            value, gradient = evaluate(scaled.detach() * inverse)
            norm = float(torch.linalg.vector_norm(gradient))
            yield LbfgsStep(scaled.detach() * inverse, float(value), norm, length)
            if norm < settings.minimum_gradient_magnitude or length == 0:
                return
