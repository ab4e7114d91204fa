"""Gradient descent with steps of one length, shortened at each turn: ITK's and elastix's RegularStepGradientDescent."""

import math
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.typing import Scalar, Vector

from .base import GRADIENT_TOO_SMALL, STEP_TOO_SMALL, AbstractOptimizer
from .gain import inverse_roots


@final
@dataclass(frozen=True, kw_only=True)
class RegularStepSettings:
    """Lengths of the first and of the shortest step in parameter units; both positive, relaxation in (0, 1)."""

    maximum_step_length: float
    minimum_step_length: float
    relaxation_factor: float = 0.5
    minimum_gradient_magnitude: float = 1e-8

    def __post_init__(self) -> None:
        lengths = self.maximum_step_length, self.minimum_step_length
        if not all(math.isfinite(length) and length > 0 for length in lengths):
            raise InputError(
                f"MaximumStepLength is {lengths[0]} and MinimumStepLength {lengths[1]}",
                expected="positive finite numbers",
            )
        if not 0 < self.relaxation_factor < 1:
            raise InputError(f"RelaxationFactor is {self.relaxation_factor}", expected="a number between 0 and 1")


class RegularStepState(NamedTuple):
    """Number and length of the last step, why it was not made (0 = it was), and its gradient over the scales (P,)."""

    time: Tensor
    length: Tensor
    stopped: Tensor
    direction: Tensor


@final
class RegularStepGradientDescent(AbstractOptimizer[RegularStepState]):
    """Steps against the gradient; a gradient that points back makes the steps shorter.

    Parameters
    ----------
    settings
        The lengths.
    scales
        (P,) positive numbers by which the gradient is divided, or None for all 1.
    """

    def __init__(self, settings: RegularStepSettings, scales: Vector | None = None) -> None:
        self._settings = settings
        self._scales = None if inverse_roots(scales) is None else scales

    def init(self, parameters: Vector) -> RegularStepState:
        """The state before the first step."""
        zero = parameters.new_zeros(())
        length = parameters.new_full((), self._settings.maximum_step_length)
        return RegularStepState(zero, length, zero, torch.zeros_like(parameters, requires_grad=False))

    @torch.no_grad()
    def step(self, parameters: Vector, gradient: Vector, state: RegularStepState) -> tuple[Vector, RegularStepState]:
        """New parameters and state; once it has stopped, the parameters stay."""
        settings = self._settings
        direction = gradient if self._scales is None else gradient / self._scales
        magnitude = torch.linalg.vector_norm(direction)
        turned = direction.dot(state.direction) < 0
        length = torch.where(turned, state.length * settings.relaxation_factor, state.length)
        # Codes are numbers, so that no step waits for the device; the first reason stays.
        reason = torch.where(length < settings.minimum_step_length, STEP_TOO_SMALL, 0.0)
        reason = torch.where(magnitude < settings.minimum_gradient_magnitude, GRADIENT_TOO_SMALL, reason)
        stopped = torch.where(state.stopped > 0, state.stopped, reason.to(state.stopped))
        factor = torch.where(stopped > 0, 0.0, length / magnitude.clamp_min(torch.finfo(magnitude.dtype).tiny))
        new_parameters = torch.addcmul(parameters, direction, factor, value=-1)
        return new_parameters, RegularStepState(state.time + 1, length, stopped, direction)

    def step_size(self, state: RegularStepState) -> Scalar:
        """The length of the last step."""
        return state.length

    def time(self, state: RegularStepState) -> Tensor:
        """The number of the last step."""
        return state.time

    def stopped(self, state: RegularStepState) -> Tensor:
        """Why it makes no further steps, 0 while it does."""
        return state.stopped
