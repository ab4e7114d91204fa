"""Limited-memory BFGS. Nocedal, "Updating quasi-Newton matrices with limited storage", Math. Comp. 35, 1980.

`torch.optim.LBFGS` fixes the constants and the length of its line search, measures the start of each step again, and
mixes gradients of different samples into its memory; elastix's parameters need all of these otherwise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, final

import torch
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.typing import Vector

from .base import (
    GRADIENT_VANISHED,
    STEP_VANISHED,
    WOLFE_VIOLATED,
    AbstractLineSearchOptimizer,
    Evaluate,
    Evaluation,
    LineSearchReport,
)
from .gain import inverse_roots
from .wolfe import Trial, WolfeConditions, search_line


@final
@dataclass(frozen=True, kw_only=True)
class LbfgsSettings:
    """Numbers of the method; defaults are elastix's.

    Attributes
    ----------
    step_length
        The first trial of each line search, relative to the search direction; that of the first one has length 1 in
        scaled parameters. > 0.
    memory
        Steps remembered (LBFGSUpdateAccuracy); 0 = steepest descent.
    gradient_magnitude_tolerance
        The gradient's norm, relative to that of the parameters if that is above 1, at which it stops; both scaled.
    value_tolerance, gradient_tolerance
        Of the Wolfe conditions: 0 < `value_tolerance` <= `gradient_tolerance` < 1.
    line_search_iterations
        Evaluations of one line search at most, >= 1.
    stop_if_wolfe_not_satisfied
        Whether it stops after a line search that found no point which fulfils the conditions.
    """

    step_length: float = 1.0
    memory: int = 5
    gradient_magnitude_tolerance: float = 1e-6
    value_tolerance: float = 1e-4
    gradient_tolerance: float = 0.9
    line_search_iterations: int = 20
    stop_if_wolfe_not_satisfied: bool = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.step_length) and self.step_length > 0):
            raise InputError(f"StepLength is {self.step_length}", expected="a positive finite number")
        if not 0 < self.value_tolerance <= self.gradient_tolerance < 1:
            raise InputError(
                f"LineSearchValueTolerance is {self.value_tolerance} and LineSearchGradientTolerance "
                f"{self.gradient_tolerance}",
                expected="numbers between 0 and 1, the first not above the second",
            )
        if self.memory < 0 or self.line_search_iterations < 1:
            raise InputError(
                f"LBFGSUpdateAccuracy is {self.memory} and MaximumNumberOfLineSearchIterations "
                f"{self.line_search_iterations}",
                expected="at least 0 and 1",
            )


class LbfgsState(NamedTuple):
    """Steps and the changes of the gradient along them (P,), oldest first; the last search; why it stopped, or 0.

    All in scaled parameters.
    """

    steps: tuple[Tensor, ...]
    changes: tuple[Tensor, ...]
    report: LineSearchReport | None
    stopped: float


@final
class Lbfgs(AbstractLineSearchOptimizer[LbfgsState]):
    """elastix's ``QuasiNewtonLBFGS``.

    Parameters
    ----------
    settings
        See `LbfgsSettings`.
    scales
        (P,) positive numbers, or None for all 1, as for `AdaptiveStochasticGradientDescent`.
    """

    def __init__(self, settings: LbfgsSettings, scales: Vector | None = None) -> None:
        self._settings, self._inverse_roots = settings, inverse_roots(scales)
        self._conditions = WolfeConditions(
            value_tolerance=settings.value_tolerance, gradient_tolerance=settings.gradient_tolerance
        )

    def init(self, parameters: Vector) -> LbfgsState:
        """The state before the first step."""
        del parameters
        return LbfgsState((), (), None, 0.0)

    def step(
        self, parameters: Vector, here: Evaluation, evaluate: Evaluate, state: LbfgsState
    ) -> tuple[Vector, Evaluation, LbfgsState]:
        """One line search. It stays where it is, and says why, if the last one found nothing better or it is flat."""
        parameters, gradient = parameters.detach(), self._scaled(here.gradient)
        reason = self._reason(parameters, gradient, state.report)
        if reason:
            return parameters, here, state._replace(stopped=reason)
        direction = search_direction(gradient, state.steps, state.changes)

        def measure(length: float) -> Trial:
            there = evaluate(self._moved(parameters, direction, length))
            return Trial(length, there.value, float(torch.dot(self._scaled(there.gradient), direction)), there)

        slope, norm = torch.stack([torch.dot(gradient, direction), torch.linalg.vector_norm(direction)]).tolist()
        search = search_line(
            measure,
            Trial(0.0, here.value, slope, here),
            first_step=self._settings.step_length,
            conditions=self._conditions,
            maximum_trials=self._settings.line_search_iterations,
        )
        there, length = search.best.found, search.best.step
        search = replace(search, best=search.best._replace(found=None))  # gradients of old places are not kept
        new_gradient = self._scaled(there.gradient)
        state = self._remembering(state, direction * length, new_gradient - gradient)
        reached = self._moved(parameters, direction, length) if length else parameters
        report = LineSearchReport(search, norm, float(torch.linalg.vector_norm(new_gradient)))
        return reached, there, state._replace(report=report)

    def report(self, state: LbfgsState) -> LineSearchReport | None:
        """How the last step was found."""
        return state.report

    def stopped(self, state: LbfgsState) -> float:
        """Why it makes no further steps, 0 while it does."""
        return state.stopped

    def _reason(self, parameters: Tensor, gradient: Tensor, report: LineSearchReport | None) -> float:
        """Why no step should be made; 0.0 if one should."""
        scaled_parameters = parameters if self._inverse_roots is None else parameters / self._inverse_roots
        last = None if report is None else report.search
        size = torch.linalg.vector_norm(scaled_parameters).clamp(min=1)
        if last is not None and last.best.step == 0:
            return STEP_VANISHED
        if float(torch.linalg.vector_norm(gradient) / size) <= self._settings.gradient_magnitude_tolerance:
            return GRADIENT_VANISHED
        violated = last is not None and not (last.is_lower and last.is_flatter)
        return WOLFE_VIOLATED if violated and self._settings.stop_if_wolfe_not_satisfied else 0.0

    def _remembering(self, state: LbfgsState, step: Tensor, change: Tensor) -> LbfgsState:
        """With the latest step, if the gradient grows along it: others would spoil the matrix."""
        memory = self._settings.memory
        if memory == 0 or not float(torch.dot(step, change)) > 0:
            return state
        return state._replace(steps=(*state.steps, step)[-memory:], changes=(*state.changes, change)[-memory:])

    def _scaled(self, gradient: Tensor) -> Tensor:
        return gradient if self._inverse_roots is None else gradient * self._inverse_roots

    def _moved(self, parameters: Tensor, direction: Tensor, length: float) -> Tensor:
        return parameters + length * self._scaled(direction)


def search_direction(gradient: Vector, steps: Sequence[Vector], changes: Sequence[Vector]) -> Vector:
    """Minus the gradient times the inverse Hessian that BFGS makes of steps and changes of the gradient, oldest first.

    Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.4, from the matrix of equation 7.20. Without steps the
    direction has length 1. (P,)
    """
    if not steps:
        return -gradient / torch.linalg.vector_norm(gradient)
    direction, shares = -gradient, []
    inverse_products = [torch.dot(step, change).reciprocal() for step, change in zip(steps, changes)]
    for step, change, inverse in zip(reversed(steps), reversed(changes), reversed(inverse_products)):
        shares.append(torch.dot(step, direction) * inverse)
        direction = direction - shares[-1] * change
    direction = direction / (inverse_products[-1] * torch.dot(changes[-1], changes[-1]))
    for step, change, inverse, share in zip(steps, changes, inverse_products, reversed(shares)):
        direction = direction + (share - torch.dot(change, direction) * inverse) * step
    return direction
