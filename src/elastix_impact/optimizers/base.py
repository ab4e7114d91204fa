"""What an optimiser is: a pure step from parameters and gradient to better parameters."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import torch
from torch import Tensor

from elastix_impact.typing import Scalar, Vector

State = TypeVar("State")

STEP_TOO_SMALL = 1.0
GRADIENT_TOO_SMALL = 2.0
"""What `AbstractOptimizer.stopped` says, as numbers that may stay on the device."""


class AbstractOptimizer(ABC, Generic[State]):
    """Steps on the device without host synchronisation; the state is explicit and holds tensors only."""

    @abstractmethod
    def init(self, parameters: Vector) -> State:
        """The state before the first step."""

    @abstractmethod
    def step(self, parameters: Vector, gradient: Vector, state: State) -> tuple[Vector, State]:
        """New parameters and state. `gradient` is that of the value to be minimised, at `parameters`."""

    @abstractmethod
    def step_size(self, state: State) -> Scalar:
        """The gain that the last step used, for the iteration table."""

    @abstractmethod
    def time(self, state: State) -> Tensor:
        """The (possibly adaptive) time of the last step, for the iteration table."""

    def stopped(self, state: State) -> Tensor:
        """A scalar: 0 while it goes on, else why the last step was not made and no further one will be."""
        return torch.zeros_like(self.time(state))
