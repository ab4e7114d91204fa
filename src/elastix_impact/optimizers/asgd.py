"""Adaptive stochastic gradient descent: steps that shrink with a time which runs only while gradients disagree.

Klein, Pluim, Staring, Viergever, "Adaptive stochastic gradient descent optimisation for image registration",
IJCV 81, 2009; the rule for the time is that of Cruz, "Almost sure convergence and asymptotical normality of a
generalization of Kesten's stochastic approximation algorithm", 2005.
"""

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
class AsgdSettings:
    """Numbers of the method; names as in the paper, where elastix's differ they are given.

    Attributes
    ----------
    a, A, alpha
        Gain a / (A + time + 1) ** alpha (SP_a, SP_A, SP_alpha); a >= 0, A > -1.
    sigmoid_max, sigmoid_min, sigmoid_scale
        The time grows by a sigmoid of minus the inner product of successive gradients, between these limits and
        of this width, that is 0 at 0; maximum > 0, minimum <= 0, scale > 0.
    use_adaptive_step_sizes
        Otherwise the time grows by the mean of the limits. elastix switches adaptation off where samples come
        from a random region (``UseRandomSampleRegion`` with ``NewSamplesEveryIteration``), because gradients of
        different regions say nothing about each other.
    use_constant_step
        The gain stays that of time 0.
    initial_time
        Time of the first step, >= 0.
    """

    a: float
    A: float = 20.0
    alpha: float = 1.0
    sigmoid_max: float = 1.0
    sigmoid_min: float = -0.8
    sigmoid_scale: float = 1e-8
    use_adaptive_step_sizes: bool = True
    use_constant_step: bool = False
    initial_time: float = 0.0

    def __post_init__(self) -> None:
        rules = {
            "SP_a": (self.a, self.a >= 0, "at least 0"),
            "SP_A": (self.A, self.A > -1, "greater than -1"),
            "SigmoidMax": (self.sigmoid_max, self.sigmoid_max > 0, "greater than 0"),
            "SigmoidMin": (self.sigmoid_min, self.sigmoid_min <= 0, "at most 0"),
            "SigmoidScale": (self.sigmoid_scale, self.sigmoid_scale > 0, "greater than 0"),
            "SigmoidInitialTime": (self.initial_time, self.initial_time >= 0, "at least 0"),
        }
        for name, (value, holds, expected) in rules.items():
            if not holds or not math.isfinite(value):
                raise InputError(f"{name} is {value}", expected=f"a finite number, {expected}")


class AsgdState(NamedTuple):
    """What is carried from step to step.

    Attributes
    ----------
    time, gain
        Of the last step, scalars; before the first step those that it will use.
    next_time
        Time of the coming step.
    previous_gradient
        (P,) scaled gradient of the last step, zero before the first.
    """

    time: Tensor
    gain: Tensor
    next_time: Tensor
    previous_gradient: Tensor


@final
class AdaptiveStochasticGradientDescent(AbstractOptimizer[AsgdState]):
    """The optimiser of most elastix parameter maps.

    Parameters
    ----------
    settings
        The method's numbers, usually from `asgd_estimate`.
    scales
        (P,) positive numbers, elastix's ``Scales``, or None for all 1. The steps are made in parameters multiplied by
        their roots, where the gradient is divided by the roots: large scales mean small steps.
    """

    def __init__(self, settings: AsgdSettings, scales: Vector | None = None) -> None:
        self._settings = settings
        self._inverse_roots = inverse_roots(scales)
        self._offset = math.log(settings.sigmoid_max / max(-settings.sigmoid_min, 1e-300))

    def init(self, parameters: Vector) -> AsgdState:
        """The state before the first step."""
        time = parameters.new_full((), self._settings.initial_time)
        return AsgdState(time, self._gain(time), time, torch.zeros_like(parameters, requires_grad=False))

    @torch.no_grad()
    def step(self, parameters: Vector, gradient: Vector, state: AsgdState) -> tuple[Vector, AsgdState]:
        """New parameters and state; four small scalars and two vectors are computed."""
        scaled = gradient if self._inverse_roots is None else gradient * self._inverse_roots
        gain = self._gain(state.next_time)
        new_parameters = descend(parameters, scaled, gain, self._inverse_roots)
        time = self._advance(state.next_time, scaled, state.previous_gradient)
        return new_parameters, AsgdState(state.next_time, gain, time, scaled)

    def step_size(self, state: AsgdState) -> Scalar:
        """The gain of the last step."""
        return state.gain

    def time(self, state: AsgdState) -> Tensor:
        """The time of the last step."""
        return state.time

    def _gain(self, time: Tensor) -> Tensor:
        settings = self._settings
        return decaying_gain(
            torch.zeros_like(time) if settings.use_constant_step else time, settings.a, settings.A, settings.alpha
        )

    def _advance(self, time: Tensor, gradient: Tensor, previous_gradient: Tensor) -> Tensor:
        """Time of the next step. With the zero gradient before the first step the time stands still, as it should."""
        settings = self._settings
        low, high = settings.sigmoid_min, settings.sigmoid_max
        if not settings.use_adaptive_step_sizes:
            return time + (high + low) / 2
        agreement = torch.dot(previous_gradient, gradient) / settings.sigmoid_scale
        increment = torch.sigmoid(-agreement - self._offset) * (high - low) + low
        return (time + increment).clamp(min=0)
