"""Gradient descent with a gain that decays with the number of the iteration."""

import math
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.typing import Scalar, Vector

from .base import AbstractOptimizer
from .gain import decaying_gain, descend, inverse_roots


@final
@dataclass(frozen=True, kw_only=True)
class GradientDescentSettings:
    """Gain a / (A + k + 1) ** alpha of iteration k = 0, 1, ... (SP_a >= 0, SP_A > -1, SP_alpha)."""

    a: float
    A: float = 20.0
    alpha: float = 0.602

    def __post_init__(self) -> None:
        if not (math.isfinite(self.a) and self.a >= 0 and math.isfinite(self.A) and self.A > -1):
            raise InputError(
                f"SP_a is {self.a} and SP_A is {self.A}", expected="SP_a at least 0 and SP_A greater than -1, finite"
            )


class GradientDescentState(NamedTuple):
    """Number and gain of the last step, scalars, and the number of the coming one."""

    time: Tensor
    gain: Tensor
    next_time: Tensor


@final
class StandardGradientDescent(AbstractOptimizer[GradientDescentState]):
    """Robbins and Monro's stochastic approximation, elastix's ``StandardGradientDescent``.

    Parameters
    ----------
    settings
        The gain.
    scales
        (P,) positive numbers, or None for all 1, as for `AdaptiveStochasticGradientDescent`.
    """

    def __init__(self, settings: GradientDescentSettings, scales: Vector | None = None) -> None:
        self._settings = settings
        self._inverse_roots = inverse_roots(scales)

    def init(self, parameters: Vector) -> GradientDescentState:
        """The state before the first step."""
        time = parameters.new_zeros(())
        return GradientDescentState(time, self._gain(time), time)

    @torch.no_grad()
    def step(
        self, parameters: Vector, gradient: Vector, state: GradientDescentState
    ) -> tuple[Vector, GradientDescentState]:
        """New parameters and state."""
        scaled = gradient if self._inverse_roots is None else gradient * self._inverse_roots
        gain = self._gain(state.next_time)
        new_parameters = descend(parameters, scaled, gain, self._inverse_roots)
        return new_parameters, GradientDescentState(state.next_time, gain, state.next_time + 1)

    def step_size(self, state: GradientDescentState) -> Scalar:
        """The gain of the last step."""
        return state.gain

    def time(self, state: GradientDescentState) -> Tensor:
        """The number of the last step."""
        return state.time

    def _gain(self, time: Tensor) -> Tensor:
        return decaying_gain(time, self._settings.a, self._settings.A, self._settings.alpha)
