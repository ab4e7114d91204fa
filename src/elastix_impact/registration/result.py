"""What a registration gives back: the transform, what happened at each level, and why it stopped."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from torch import Tensor

from elastix_impact.optimizers.base import LineSearchReport
from elastix_impact.searching.report import SearchReport
from elastix_impact.transforms.base import AbstractTransform


class StopReason(Enum):
    """Why a level ended. The value is the sentence that the user reads."""

    MAXIMUM_ITERATIONS = "Maximum number of iterations has been reached"
    STEP_TOO_SMALL = "Minimum step size has been reached"
    GRADIENT_TOO_SMALL = "Minimum gradient magnitude has been reached"
    STEP_VANISHED = "The last step size was (nearly) zero"
    GRADIENT_VANISHED = "The gradient magnitude has (nearly) vanished"
    WOLFE_VIOLATED = "Wolfe conditions are not satisfied"
    STOPPED_BY_OBSERVER = "An observer asked to stop"
    NON_FINITE_VALUE = (
        "The metric became infinite or NaN. Lower MaximumStepLength, or look for extreme intensities in the images"
    )
    TOO_FEW_SAMPLES = (
        "Too many samples map outside the moving image or its mask. Check that the images overlap (their origins and "
        "directions), give an initial transform (-t0, --initial-transform), enlarge the masks, or lower "
        "RequiredRatioOfValidSamples"
    )

    @property
    def is_failure(self) -> bool:
        """Whether the level's transform should not be trusted."""
        return self in (StopReason.NON_FINITE_VALUE, StopReason.TOO_FEW_SAMPLES)


@dataclass(frozen=True, slots=True)
class IterationRecord:
    """One row of the iteration table.

    Attributes
    ----------
    iteration
        0-based, within the level.
    metric
        Value that was minimised.
    time, step_size
        The optimiser's (adaptive) time and the gain of the step.
    gradient_norm
        Euclidean norm of the gradient.
    milliseconds
        Wall time since the previous row.
    valid_fraction
        Share of the samples inside the moving image and mask.
    parts
        Further scalars by name, e.g. the metric's raw value per layer.
    parameters
        The parameters *after* the step, float64 (P,), only where an observer asked for them.
    search
        How a line search found the step, None without one. The row's numbers are then those at its end.
    """

    iteration: int
    metric: float
    time: float
    step_size: float
    gradient_norm: float
    milliseconds: float
    valid_fraction: float
    parts: dict[str, float] = field(default_factory=dict[str, float])
    parameters: Tensor | None = None
    search: LineSearchReport | None = None


@dataclass(frozen=True, slots=True)
class LevelRecord:
    """What happened at one resolution level.

    Attributes
    ----------
    seconds
        Wall time per phase: ``pyramid``, ``features``, ``estimation``, ``loop``.
    samples
        Points drawn per iteration; `valid_fraction` is the mean share of them that counted.
    settings
        What the optimiser ran with (gains, sigmoid, estimates), for the log.
    notes
        Sentences worth telling the user about this level.
    share_folded
        Share in [0, 1] of the places where samples are drawn at which the transform folds; None if it was not asked.
    """

    level: int
    iterations: int
    stop_reason: StopReason
    first_metric: float
    final_metric: float
    raw_metric_first: dict[str, float]
    raw_metric_final: dict[str, float]
    samples: int
    valid_fraction: float
    number_of_parameters: int
    median_milliseconds: float
    seconds: dict[str, float]
    settings: dict[str, Any]
    notes: tuple[str, ...] = ()
    share_folded: float | None = None


@dataclass(frozen=True, slots=True)
class RegistrationResult:
    """The outcome of one parameter map.

    Attributes
    ----------
    transform
        The whole map from fixed to moving world points in mm, initial transform included, float64 on the CPU.
    current
        The part that this map optimised (what its transform file holds), float64 on the CPU.
    initial
        The part before it, or None.
    search
        What a search for the start found, None without one.
    """

    transform: AbstractTransform
    current: AbstractTransform
    initial: AbstractTransform | None
    levels: tuple[LevelRecord, ...]
    stop_reason: StopReason
    device: str
    seconds: dict[str, float]
    search: SearchReport | None = None
