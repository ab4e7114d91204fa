"""Plan -> optimiser: how large the steps are, estimated before the loop where the map leaves it open."""

from dataclasses import asdict
from typing import Any, assert_never

import torch
from torch import Tensor

from elastix_impact.optimizers.adam import Adam, AdamSettings
from elastix_impact.optimizers.asgd import AdaptiveStochasticGradientDescent, AsgdSettings
from elastix_impact.optimizers.asgd_estimate import (
    GradientMagnitudes,
    StepSizeEstimate,
    default_maximum_step_length,
    estimate_displacement_distribution,
    estimate_original,
    number_of_jacobian_measurements,
    sample_gradients,
)
from elastix_impact.optimizers.gradient_descent import GradientDescentSettings, StandardGradientDescent
from elastix_impact.optimizers.jacobian_terms import displacement_magnitudes, jacobian_terms, max_jj
from elastix_impact.optimizers.lbfgs import Lbfgs, LbfgsSettings
from elastix_impact.optimizers.regular_step import RegularStepGradientDescent, RegularStepSettings
from elastix_impact.optimizers.scales import automatic_scales
from elastix_impact.parameters.optimizer_plan import AdamPlan, AsgdPlan, GradientDescentPlan, LbfgsPlan, RegularStepPlan
from elastix_impact.parameters.plan import LinearTransformPlan, RegistrationPlan
from elastix_impact.samplers.fixed import GridSampler
from elastix_impact.transforms.base import AbstractTransform

from .build import LevelImages
from .measure import value_and_gradient
from .parts import LevelParts, draws_anew
from .stepping import AnyOptimizer

Settings = dict[str, Any]
"""What the optimiser runs with, for the log and the record."""

SAMPLES_FOR_SCALES = 10_000
"""Points of the whole image, mask or not, over which automatic scales are averaged, as in elastix."""


def build_optimizer(
    plan: RegistrationPlan, level: int, parts: LevelParts, transform: AbstractTransform, generator: torch.Generator
) -> tuple[AnyOptimizer, Settings]:
    """The optimiser of one level; `transform` is in the loop's frame at the level's start."""
    step, images = plan.levels[level], parts.images
    scales = _scales(plan, images, transform)
    match step.optimizer:
        case GradientDescentPlan() as gains:
            settings = GradientDescentSettings(a=gains.sp_a, A=gains.sp_A, alpha=gains.sp_alpha)
            return StandardGradientDescent(settings, scales), asdict(settings)
        case RegularStepPlan() as lengths:
            regular = RegularStepSettings(
                maximum_step_length=lengths.maximum_step_length, minimum_step_length=lengths.minimum_step_length,
                relaxation_factor=lengths.relaxation_factor,
                minimum_gradient_magnitude=lengths.minimum_gradient_magnitude,
            )  # fmt: skip
            return RegularStepGradientDescent(regular, scales), asdict(regular)
        case LbfgsPlan() as searches:
            lbfgs = LbfgsSettings(
                step_length=searches.step_length, memory=searches.memory,
                gradient_magnitude_tolerance=searches.gradient_magnitude_tolerance,
                value_tolerance=searches.value_tolerance, gradient_tolerance=searches.gradient_tolerance,
                line_search_iterations=searches.line_search_iterations,
                stop_if_wolfe_not_satisfied=searches.stop_if_wolfe_not_satisfied,
            )  # fmt: skip
            return Lbfgs(lbfgs, scales), asdict(lbfgs)
        case AdamPlan() as rates:
            adam = AdamSettings(
                learning_rate=rates.learning_rate, iterations=rates.maximum_number_of_iterations,
                beta1=rates.beta1, beta2=rates.beta2, epsilon=rates.epsilon, cosine_decay=rates.cosine_decay,
            )  # fmt: skip
            return Adam(adam, scales), asdict(adam)
        case AsgdPlan() as asgd if not asgd.automatic_parameter_estimation:
            settings = _base_settings(asgd, asgd.use_adaptive_step_sizes)
            return AdaptiveStochasticGradientDescent(settings, scales), asdict(settings)
        case AsgdPlan() as asgd:
            by_region = parts.sampler_everywhere is not parts.sampler and parts.sampler.is_random
            base = _base_settings(asgd, asgd.use_adaptive_step_sizes and not by_region)
            stochastic = draws_anew(step) and parts.sampler.is_random
            estimate = _estimate(asgd, base, parts, transform, scales, generator, stochastic=stochastic)
            return AdaptiveStochasticGradientDescent(estimate.settings, scales), _facts(estimate)
        case _ as never:
            assert_never(never)


def _base_settings(plan: AsgdPlan, use_adaptive_step_sizes: bool) -> AsgdSettings:
    return AsgdSettings(
        a=plan.sp_a, A=plan.sp_A, alpha=plan.sp_alpha,
        sigmoid_max=plan.sigmoid_max, sigmoid_min=plan.sigmoid_min, sigmoid_scale=plan.sigmoid_scale,
        use_adaptive_step_sizes=use_adaptive_step_sizes, use_constant_step=plan.use_constant_step,
        initial_time=plan.sigmoid_initial_time,
    )  # fmt: skip


def _scales(plan: RegistrationPlan, images: LevelImages, transform: AbstractTransform) -> Tensor | None:
    """The optimiser's scales (P,) on the parameters' device, None = all one."""
    linear = plan.transform
    if not isinstance(linear, LinearTransformPlan):
        return None
    if linear.scales is not None:
        return torch.tensor(linear.scales).to(transform.parameters)
    if not linear.automatic_scales:
        return None
    grid, device = images.fixed.grid, images.fixed.data.device
    points = GridSampler(grid, None, device, number_of_samples=SAMPLES_FOR_SCALES).draw()
    return automatic_scales(transform.jacobian(points)).to(transform.parameters)


def _spread_points(images: LevelImages, number: int) -> Tensor:
    """About `number` fixed points on a grid in the mask."""
    grid, device = images.fixed.grid, images.fixed.data.device
    return GridSampler(grid, images.sampling_mask, device, number_of_samples=number).draw()


def _estimate(
    plan: AsgdPlan,
    base: AsgdSettings,
    parts: LevelParts,
    transform: AbstractTransform,
    scales: Tensor | None,
    generator: torch.Generator,
    *,
    stochastic: bool,
) -> StepSizeEstimate:
    images = parts.images
    if stochastic:
        exact_metric = parts.metric_anywhere
        exact_points = _spread_points(images, plan.number_of_samples_for_exact_gradient)
    else:
        exact_metric, exact_points = parts.metric, parts.sampler.draw(generator)

    def exact_gradient(parameters: Tensor) -> Tensor:
        return value_and_gradient(exact_metric, transform, parameters, exact_points)[1]

    def random_gradient(parameters: Tensor) -> Tensor:
        points = parts.sampler_everywhere.draw(generator)
        return value_and_gradient(parts.metric, transform, parameters, points)[1]

    noisy = random_gradient if stochastic else None

    def measure(sigma: float, number: int) -> GradientMagnitudes:
        return sample_gradients(transform.parameters, sigma, number, exact_gradient, noisy, generator, scales)

    length = plan.maximum_step_length
    if length is None:
        length = plan.maximum_step_length_ratio * default_maximum_step_length(images.fixed.grid, images.moving.grid)
    number = plan.number_of_jacobian_measurements or number_of_jacobian_measurements(transform.parameters.numel())
    jacobian = transform.jacobian(_spread_points(images, number))
    if plan.estimation == "DisplacementDistribution":
        exact = exact_gradient(transform.parameters)
        return estimate_displacement_distribution(
            base, displacement_magnitudes(jacobian, exact, scales), max_jj(jacobian, scales),
            measure if plan.noise_compensation else None, maximum_step_length=length,
            statistic=plan.maximum_displacement_estimation,
            number_of_measurements=plan.number_of_gradient_measurements,
        )  # fmt: skip
    return estimate_original(
        base, jacobian_terms(jacobian, scales), measure, maximum_step_length=length,
        sigmoid_scale_factor=plan.sigmoid_scale_factor,
        number_of_measurements=plan.number_of_gradient_measurements,
        sigmoid_to_default=plan.estimation == "OriginalButSigmoidToDefault",
    )  # fmt: skip


def _facts(estimate: StepSizeEstimate) -> Settings:
    facts = asdict(estimate.settings) | {
        "noise_factor": estimate.noise_factor,
        "perturbation_sigma": estimate.perturbation_sigma,
        "number_of_gradient_measurements": estimate.number_of_gradient_measurements,
        "gg": estimate.gradient.gg,
        "ee": estimate.gradient.ee,
    }
    if estimate.terms is not None:
        facts |= asdict(estimate.terms)
    if estimate.displacement is not None:
        facts["displacement"] = estimate.displacement
    return facts
