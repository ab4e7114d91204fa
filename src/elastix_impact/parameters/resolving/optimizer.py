"""How the metric is minimised at a level."""

from __future__ import annotations

from typing import Literal, cast

from elastix_impact.parameters.optimizer_plan import (
    AdamPlan,
    AsgdPlan,
    GradientDescentPlan,
    LbfgsPlan,
    OptimizerKind,
    OptimizerPlan,
    RegularStepPlan,
    StepSizeEstimation,
)
from elastix_impact.parameters.reader import Reader

JACOBIAN_SAMPLES_FOR_EXACT_GRADIENT = 25_000
"""elastix's 100,000 take four times as long and change the estimated steps by 2 %, a fifth of what the seed changes."""


def resolve_optimizer(reader: Reader, kind: OptimizerKind, level: int) -> OptimizerPlan:
    """The optimiser of one level."""
    match kind:
        case "Asgd":
            return _asgd(reader, level)
        case "GradientDescent":
            return _gradient_descent(reader, level)
        case "RegularStep":
            return _regular_step(reader, level)
        case "Lbfgs":
            return _lbfgs(reader, level)
        case "Adam":
            return _adam(reader, level)


def _regular_step(reader: Reader, level: int) -> RegularStepPlan:
    """Lengths default to 16 and 0.5, halved at each level, as in elastix."""
    factor = reader.number("RelaxationFactor", level)
    if factor >= 1:
        reader.note("error", "RelaxationFactor", f"{factor:g} is too large", "Give a number below 1")
    return RegularStepPlan(
        maximum_number_of_iterations=reader.integer("MaximumNumberOfIterations", level),
        maximum_number_of_sampling_attempts=reader.integer("MaximumNumberOfSamplingAttempts", level),
        maximum_step_length=reader.number("MaximumStepLength", level, default=16.0 / 2**level),
        minimum_step_length=reader.number("MinimumStepLength", level, default=0.5 / 2**level),
        relaxation_factor=factor,
        minimum_gradient_magnitude=reader.number("MinimumGradientMagnitude", level),
    )


def _lbfgs(reader: Reader, level: int) -> LbfgsPlan:
    _note_what_searches_cannot(reader)
    value, gradient = "LineSearchValueTolerance", "LineSearchGradientTolerance"
    tolerances = reader.number(value, level), reader.number(gradient, level)
    if not tolerances[0] <= tolerances[1] < 1:
        message = f"{tolerances[1]:g} is not between {value}, {tolerances[0]:g}, and 1: there may be no such point"
        reader.note("error", gradient, message, "Usual are 0.0001 and 0.9")
    return LbfgsPlan(
        maximum_number_of_iterations=reader.integer("MaximumNumberOfIterations", level, default=100),
        maximum_number_of_sampling_attempts=reader.integer("MaximumNumberOfSamplingAttempts", level),
        step_length=reader.number("StepLength", level),
        memory=reader.integer("LBFGSUpdateAccuracy", level),
        gradient_magnitude_tolerance=reader.number("GradientMagnitudeTolerance", level),
        value_tolerance=tolerances[0],
        gradient_tolerance=tolerances[1],
        line_search_iterations=reader.integer("MaximumNumberOfLineSearchIterations", level),
        stop_if_wolfe_not_satisfied=reader.boolean("StopIfWolfeNotSatisfied", level),
    )


def _note_what_searches_cannot(reader: Reader) -> None:
    if reader.boolean("GenerateLineSearchIterations"):
        message = "the trials within a line search get no rows here; the run is the same"
        reader.note("hint", "GenerateLineSearchIterations", message)
    if reader.count("Metric") > 1 and reader.boolean("UseRelativeWeights"):
        message = "relative weights change at every trial of a line search, which compares values"
        remedy = 'Write (UseRelativeWeights "false") and Metric0Weight ..., or take AdaptiveStochasticGradientDescent'
        reader.note("warning", "UseRelativeWeights", message, remedy)


def _adam(reader: Reader, level: int) -> AdamPlan:
    betas = {name: reader.number(name, level) for name in ("Beta1", "Beta2")}
    for name, value in betas.items():
        if value >= 1:
            reader.note("error", name, f"{value:g} is too large", "Give a number below 1")
    return AdamPlan(
        maximum_number_of_iterations=reader.integer("MaximumNumberOfIterations", level),
        maximum_number_of_sampling_attempts=reader.integer("MaximumNumberOfSamplingAttempts", level),
        learning_rate=reader.number("LearningRate", level),
        beta1=betas["Beta1"],
        beta2=betas["Beta2"],
        epsilon=reader.number("Epsilon", level),
        cosine_decay=reader.boolean("UseCosineDecay", level),
    )


def _gradient_descent(reader: Reader, level: int) -> GradientDescentPlan:
    return GradientDescentPlan(
        maximum_number_of_iterations=reader.integer("MaximumNumberOfIterations", level),
        maximum_number_of_sampling_attempts=reader.integer("MaximumNumberOfSamplingAttempts", level),
        sp_a=reader.number("SP_a", level),
        sp_A=reader.number("SP_A", level, default=50.0),
        sp_alpha=reader.number("SP_alpha", level),
    )


def _asgd(reader: Reader, level: int) -> AsgdPlan:
    """Every field of the plan; elastix reads the two halves for estimated and for given step sizes only as needed."""
    estimated = reader.boolean("AutomaticParameterEstimation", level)
    measurements = "NumberOfJacobianMeasurements"
    length = "MaximumStepLength"
    return AsgdPlan(
        maximum_number_of_iterations=reader.integer("MaximumNumberOfIterations", level),
        automatic_parameter_estimation=estimated,
        estimation=cast(StepSizeEstimation, reader.text("ASGDParameterEstimationMethod")),
        use_adaptive_step_sizes=reader.boolean("UseAdaptiveStepSizes", level),
        use_constant_step=reader.boolean("UseConstantStep", level),
        maximum_step_length=reader.number(length, level) if estimated and reader.has(length) else None,
        maximum_step_length_ratio=reader.number("MaximumStepLengthRatio", level),
        number_of_gradient_measurements=reader.integer("NumberOfGradientMeasurements", level),
        number_of_jacobian_measurements=reader.integer(measurements, level) if reader.has(measurements) else None,
        number_of_samples_for_exact_gradient=_samples_for_exact_gradient(reader, level),
        sigmoid_scale_factor=reader.number("SigmoidScaleFactor", level),
        noise_compensation=reader.boolean("NoiseCompensation"),
        maximum_displacement_estimation=cast(
            Literal["2sigma", "95percentile"], reader.text("MaximumDisplacementEstimationMethod")
        ),
        maximum_number_of_sampling_attempts=reader.integer("MaximumNumberOfSamplingAttempts", level),
        sp_a=_unless(estimated, reader, "SP_a", level, 400.0),
        sp_A=reader.number("SP_A", level, default=20.0),
        sp_alpha=_unless(estimated, reader, "SP_alpha", level, 1.0),
        sigmoid_initial_time=reader.number("SigmoidInitialTime", level),
        sigmoid_max=_unless(estimated, reader, "SigmoidMax", level, 1.0),
        sigmoid_min=_sigmoid_minimum(reader, level, estimated),
        sigmoid_scale=_unless(estimated, reader, "SigmoidScale", level, 1e-8),
    )


def _samples_for_exact_gradient(reader: Reader, level: int) -> int:
    """Fewer in Jacobian mode, where each sample is a patch that goes through a network."""
    jacobian = reader.text("ImpactMode", level) == "Jacobian"
    default = JACOBIAN_SAMPLES_FOR_EXACT_GRADIENT if jacobian else None
    return reader.integer("NumberOfSamplesForExactGradient", level, default=default)


def _unless(estimated: bool, reader: Reader, name: str, level: int, otherwise: float) -> float:
    """The map's number, but `otherwise` where the step size is estimated and elastix does not read it."""
    return otherwise if estimated else reader.number(name, level)


def _sigmoid_minimum(reader: Reader, level: int, estimated: bool) -> float:
    value = _unless(estimated, reader, "SigmoidMin", level, -0.8)
    if value >= 0:
        reader.note("error", "SigmoidMin", f"{value:g} is too large", "Give a number below 0")
    return value
