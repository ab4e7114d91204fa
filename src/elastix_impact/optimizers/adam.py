"""Adam: steps scaled by running means of the gradient and of its square. Kingma and Ba, ICLR 2015."""

import math
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.typing import Scalar, Vector

from .base import AbstractOptimizer
from .gain import descend, inverse_roots


@final
@dataclass(frozen=True, kw_only=True)
class AdamSettings:
    """Names as in the paper; `learning_rate` in scaled parameter units, positive; `epsilon` positive.

    With `cosine_decay` the rate falls to 0 over `iterations` steps along half a cosine (Loshchilov and Hutter, ICLR
    2017).
    """

    learning_rate: float
    iterations: int
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    cosine_decay: bool = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InputError(f"LearningRate is {self.learning_rate}", expected="a positive finite number")
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise InputError(f"Beta1 is {self.beta1} and Beta2 {self.beta2}", expected="numbers from 0 to below 1")
        if not (math.isfinite(self.epsilon) and self.epsilon > 0):
            raise InputError(f"Epsilon is {self.epsilon}", expected="a positive finite number")


class AdamState(NamedTuple):
    """Number and rate of the last step, and the running means (P,) of the gradient and of its square."""

    time: Tensor
    rate: Tensor
    mean: Tensor
    square: Tensor


@final
class Adam(AbstractOptimizer[AdamState]):
    """The optimiser of maps that say ``(Optimizer "Adam")``, which elastix does not know.

    Parameters
    ----------
    settings
        The numbers of the method.
    scales
        (P,) positive numbers, or None for all 1, as for `AdaptiveStochasticGradientDescent`.
    """

    def __init__(self, settings: AdamSettings, scales: Vector | None = None) -> None:
        self._settings, self._inverse_roots = settings, inverse_roots(scales)

    def init(self, parameters: Vector) -> AdamState:
        """The state before the first step."""
        zeros = torch.zeros_like(parameters, requires_grad=False)
        return AdamState(parameters.new_zeros(()), self._rate(parameters.new_zeros(())), zeros, zeros)

    @torch.no_grad()
    def step(self, parameters: Vector, gradient: Vector, state: AdamState) -> tuple[Vector, AdamState]:
        """New parameters and state. A gradient that is zero everywhere, as of a failed evaluation, changes nothing."""
        settings = self._settings
        scaled = gradient if self._inverse_roots is None else gradient * self._inverse_roots
        time, rate, moves = state.time + 1, self._rate(state.time), (scaled != 0).any()
        mean = torch.lerp(scaled, state.mean, settings.beta1)
        square = torch.lerp(scaled * scaled, state.square, settings.beta2)
        corrected = mean / (1 - settings.beta1**time)
        root = (square / (1 - settings.beta2**time)).sqrt()
        direction, applied = corrected / (root + settings.epsilon), torch.where(moves, rate, 0.0)
        new_parameters = descend(parameters, direction, applied, self._inverse_roots)
        time, mean, square = (
            torch.where(moves, new, old)
            for new, old in zip((time, mean, square), (state.time, state.mean, state.square))
        )
        return new_parameters, AdamState(time, rate, mean, square)

    def step_size(self, state: AdamState) -> Scalar:
        """The rate of the last step."""
        return state.rate

    def time(self, state: AdamState) -> Tensor:
        """The number of the last step."""
        return state.time

    def _rate(self, time: Tensor) -> Tensor:
        settings = self._settings
        if not settings.cosine_decay:
            return torch.full_like(time, settings.learning_rate)
        share = (time / max(settings.iterations, 1)).clamp(max=1.0)
        return settings.learning_rate * 0.5 * (1 + torch.cos(math.pi * share))
