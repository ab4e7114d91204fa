"""How steps are made: the optimiser of a level, complete and frozen; part of a `RegistrationPlan`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OptimizerKind = Literal["Asgd", "GradientDescent", "RegularStep", "Lbfgs", "Adam"]
StepSizeEstimation = Literal["Original", "OriginalButSigmoidToDefault", "DisplacementDistribution"]


@dataclass(frozen=True, kw_only=True)
class AsgdPlan:
    """Adaptive stochastic gradient descent (Klein et al. 2009). None = estimated or computed at run time."""

    maximum_number_of_iterations: int
    automatic_parameter_estimation: bool
    estimation: StepSizeEstimation
    use_adaptive_step_sizes: bool
    use_constant_step: bool
    maximum_step_length: float | None
    maximum_step_length_ratio: float
    number_of_gradient_measurements: int
    number_of_jacobian_measurements: int | None
    number_of_samples_for_exact_gradient: int
    sigmoid_scale_factor: float
    noise_compensation: bool
    maximum_displacement_estimation: Literal["2sigma", "95percentile"]
    maximum_number_of_sampling_attempts: int
    sp_a: float
    sp_A: float  # noqa: N815
    sp_alpha: float
    sigmoid_initial_time: float
    sigmoid_max: float
    sigmoid_min: float
    sigmoid_scale: float


@dataclass(frozen=True, kw_only=True)
class GradientDescentPlan:
    """StandardGradientDescent: gain a / (A + k + 1) ** alpha."""

    maximum_number_of_iterations: int
    maximum_number_of_sampling_attempts: int
    sp_a: float
    sp_A: float  # noqa: N815
    sp_alpha: float


@dataclass(frozen=True, kw_only=True)
class RegularStepPlan:
    """RegularStepGradientDescent: steps of one length in parameter units, shorter after each turn."""

    maximum_number_of_iterations: int
    maximum_number_of_sampling_attempts: int
    maximum_step_length: float
    minimum_step_length: float
    relaxation_factor: float
    minimum_gradient_magnitude: float


@dataclass(frozen=True, kw_only=True)
class LbfgsPlan:
    """QuasiNewtonLBFGS; `step_length` is the first that a line search tries, the tolerances are of its conditions."""

    maximum_number_of_iterations: int
    maximum_number_of_sampling_attempts: int
    step_length: float
    memory: int
    gradient_magnitude_tolerance: float
    value_tolerance: float
    gradient_tolerance: float
    line_search_iterations: int
    stop_if_wolfe_not_satisfied: bool


@dataclass(frozen=True, kw_only=True)
class AdamPlan:
    """Adam, this project's own; `learning_rate` in parameter units."""

    maximum_number_of_iterations: int
    maximum_number_of_sampling_attempts: int
    learning_rate: float
    beta1: float
    beta2: float
    epsilon: float
    cosine_decay: bool


OptimizerPlan = AsgdPlan | GradientDescentPlan | RegularStepPlan | LbfgsPlan | AdamPlan
