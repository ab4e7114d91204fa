"""What an optimiser is: a pure step from parameters and gradient to better parameters; or from a function of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from elastix_impact.typing import Scalar, Vector

from .wolfe import LineSearch

State = TypeVar("State")

STEP_TOO_SMALL = 1.0
GRADIENT_TOO_SMALL = 2.0
STEP_VANISHED = 3.0
GRADIENT_VANISHED = 4.0
WOLFE_VIOLATED = 5.0
"""What `stopped` says, as numbers that may stay on the device."""


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


class Evaluation(NamedTuple):
    """The function to be minimised at one place.

    Attributes
    ----------
    value
        Infinite where the function can't be used.
    gradient
        (P,) on the device.
    found
        Whatever else the function's owner wants back for the place that is chosen.
    """

    value: float
    gradient: Tensor
    found: Any


Evaluate = Callable[[Tensor], Evaluation]
"""The function at parameters (P,); within one step it gives the same for the same parameters."""


class LineSearchReport(NamedTuple):
    """How a step was found: the search, and the norms of its direction and of the gradient at its end, both scaled."""

    search: LineSearch
    direction_norm: float
    gradient_norm: float


class AbstractLineSearchOptimizer(ABC, Generic[State]):
    """Steps that look at several places. They wait for the device wherever they need a number to decide."""

    @abstractmethod
    def init(self, parameters: Vector) -> State:
        """The state before the first step."""

    @abstractmethod
    def step(
        self, parameters: Vector, here: Evaluation, evaluate: Evaluate, state: State
    ) -> tuple[Vector, Evaluation, State]:
        """New parameters, the function there, and the state; `here` is the function at `parameters`."""

    @abstractmethod
    def report(self, state: State) -> LineSearchReport | None:
        """How the last step was found, for the iteration table; None before the first."""

    @abstractmethod
    def stopped(self, state: State) -> float:
        """0 while it goes on, else why the last step was not made and no further one will be."""
