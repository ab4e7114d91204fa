"""How large the steps of adaptive stochastic gradient descent should be, estimated before the first one.

Klein et al., IJCV 81, 2009 ("Original"), and Qiao et al., "Fast automatic step size estimation for gradient descent
optimization of image registration", IEEE TMI 35, 2016 ("DisplacementDistribution"). Both look for the gain at which
no voxel moves by more than `maximum_step_length` mm per step, nearly. Everything is in scaled parameters, see
`AdaptiveStochasticGradientDescent`. A metric in other units gives the same steps (elastix compares squared norms
with 1e-14 and so gives up on metrics with small gradients); where the gradient is zero the gain is zero.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, final

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.typing import Vector, Weights1

from .asgd import AsgdSettings
from .jacobian_terms import JacobianTerms

DisplacementStatistic = Literal["2sigma", "95percentile"]

_NOTHING = torch.finfo(torch.float32).tiny
"""Squared norms of float32 gradients below this have no digits left and count as zero."""

_SMALLEST_SIGMOID_SCALE = 1e-30
"""Where gradients have no noise the sigmoid becomes a step; its width must stay a float32 number."""


class GradientMagnitudes(NamedTuple):
    """Mean squared norms of the exact gradient (`gg`) and of the error of the stochastic one (`ee`)."""

    gg: float
    ee: float


SampleGradients = Callable[[float, int], GradientMagnitudes]
"""From the perturbation's sigma and the number of measurements, see `sample_gradients`."""


@final
@dataclass(frozen=True, kw_only=True)
class StepSizeEstimate:
    """The estimated settings and what they came from, for the log.

    Attributes
    ----------
    settings
        What the optimiser is made of.
    noise_factor
        gg / (gg + ee) or its counterpart, in [0, 1]: 1 = the stochastic gradients have no error.
    perturbation_sigma
        Standard deviation of the random parameters at which gradients were measured.
    number_of_gradient_measurements
        How many were measured; 0 = none.
    gradient
        The measured magnitudes.
    terms
        The Jacobian terms (``Original`` only).
    displacement
        Statistic of the displacements per unit of gain, in mm (``DisplacementDistribution`` only).
    """

    settings: AsgdSettings
    noise_factor: float
    perturbation_sigma: float
    number_of_gradient_measurements: int
    gradient: GradientMagnitudes
    terms: JacobianTerms | None = None
    displacement: float | None = None


def estimate_original(
    base: AsgdSettings,
    terms: JacobianTerms,
    measure: SampleGradients,
    *,
    maximum_step_length: float,
    sigmoid_scale_factor: float = 0.1,
    number_of_measurements: int = 0,
    sigmoid_to_default: bool = False,
) -> StepSizeEstimate:
    """Klein's estimate of a and of the sigmoid, equations 42 to 60.

    Parameters
    ----------
    base
        Settings that are kept: A, initial time, switches; the sigmoid too if `sigmoid_to_default`.
    terms
        Of the transform's Jacobian at samples spread over the image, with the optimiser's scales.
    measure
        Measures the gradients' magnitudes.
    maximum_step_length
        mm that a voxel may move per step, > 0.
    sigmoid_scale_factor
        zeta, the width of the sigmoid relative to the spread of the noise's inner product.
    number_of_measurements
        0 = `number_of_gradient_measurements`.
    sigmoid_to_default
        elastix's ``OriginalButSigmoidToDefault``.
    """
    number = number_of_measurements or number_of_gradient_measurements(terms)
    sigma = _ratio(maximum_step_length, math.sqrt(terms.max_jj))
    gradient = measure(sigma, number)
    exact_variance, noise_variance = _ratio(gradient.gg, terms.trace_c), _ratio(gradient.ee, terms.trace_c)
    noise_factor = _ratio(exact_variance, exact_variance + noise_variance)
    a_max = _ratio(base.A * maximum_step_length, math.sqrt(exact_variance) * math.sqrt(terms.max_jcj))
    settings = replace(base, a=a_max * noise_factor, alpha=1.0)
    if not sigmoid_to_default:
        width = sigmoid_scale_factor * noise_variance * math.sqrt(terms.trace_cc)
        settings = replace(
            settings,
            sigmoid_max=1.0,
            sigmoid_min=-0.99 + 0.98 * noise_factor,
            sigmoid_scale=max(width, _SMALLEST_SIGMOID_SCALE),
        )
    return StepSizeEstimate(
        settings=settings,
        noise_factor=noise_factor,
        perturbation_sigma=sigma,
        number_of_gradient_measurements=number,
        gradient=gradient,
        terms=terms,
    )


def estimate_displacement_distribution(
    base: AsgdSettings,
    displacement_magnitudes: Weights1,
    max_jj: float,
    measure: SampleGradients | None,
    *,
    maximum_step_length: float,
    statistic: DisplacementStatistic = "2sigma",
    number_of_measurements: int = 0,
) -> StepSizeEstimate:
    """Qiao's estimate of a; the sigmoid stays as in `base`.

    Parameters
    ----------
    base
        Settings that are kept: all but a and alpha.
    displacement_magnitudes
        Of the exact gradient at the start and samples spread over the image, mm (N,); see the function of that name.
    max_jj
        See `JacobianTerms`.
    measure
        Measures the gradients' magnitudes for the noise compensation; None = no compensation.
    maximum_step_length
        mm that a voxel may move per step, > 0.
    statistic
        What stands for the largest displacement: mean plus two standard deviations, or the 95th percentile.
    number_of_measurements
        0 = 2.
    """
    displacement = displacement_statistic(displacement_magnitudes, statistic)
    a = _ratio(maximum_step_length * (base.A + 1), displacement)
    number, sigma, gradient, noise_factor = 0, 0.0, GradientMagnitudes(0.0, 0.0), 1.0
    if measure is not None:
        number = number_of_measurements or 2
        sigma = _ratio(maximum_step_length, math.sqrt(max_jj))
        gradient = measure(sigma, number)
        noise_factor = _ratio(gradient.gg, gradient.gg + gradient.ee)
    return StepSizeEstimate(
        settings=replace(base, a=a * noise_factor, alpha=1.0),
        noise_factor=noise_factor,
        perturbation_sigma=sigma,
        number_of_gradient_measurements=number,
        gradient=gradient,
        displacement=displacement,
    )


def displacement_statistic(magnitudes: Weights1, statistic: DisplacementStatistic) -> float:
    """Mean plus two standard deviations of the magnitudes (N,), or the mean of three around the 95th percentile."""
    values = magnitudes.double()
    if statistic == "2sigma":
        return float(values.mean() + 2 * values.std(correction=0))
    place = min(int(values.numel() * 0.95), values.numel() - 1)
    return float(values.sort().values[max(place - 1, 0) : place + 2].mean())


def number_of_gradient_measurements(terms: JacobianTerms) -> int:
    """Measurements after which the mean squared gradient is known to about 50 %, at least 2."""
    tolerance = 0.5
    return max(2, math.ceil(_ratio(8 * terms.trace_cc, (terms.trace_c * tolerance) ** 2)))


def number_of_jacobian_measurements(number_of_parameters: int) -> int:
    """Samples for the Jacobian terms if the parameter map says nothing: as many as parameters, at least 1000."""
    return max(1000, number_of_parameters)


def sample_gradients(
    parameters: Vector,
    perturbation_sigma: float,
    number: int,
    exact_gradient: Callable[[Tensor], Tensor],
    stochastic_gradient: Callable[[Tensor], Tensor] | None,
    generator: torch.Generator,
    scales: Vector | None = None,
) -> GradientMagnitudes:
    """Mean squared norms of the gradient and of its stochastic error near `parameters`.

    Parameters
    ----------
    parameters
        (P,) where the optimisation starts.
    perturbation_sigma
        Standard deviation of the normal perturbation, in scaled parameters.
    number
        Perturbations, at least 1.
    exact_gradient, stochastic_gradient
        From parameters (P,) to the gradient (P,), with many samples on a grid and with new random samples. None
        where the optimiser's gradients are not stochastic: then the error is 0.
    generator
        Draws the perturbations, on its own device.
    scales
        (P,) the optimiser's, or None.
    """
    gg, ee = parameters.new_zeros(()), parameters.new_zeros(())
    for _ in range(number):
        noise = torch.randn(parameters.shape, generator=generator, device=generator.device).to(parameters)
        perturbed = torch.add(parameters.detach(), _divided_by_roots(noise, scales), alpha=perturbation_sigma)
        exact = _divided_by_roots(exact_gradient(perturbed), scales)
        gg = gg + exact.square().sum()
        if stochastic_gradient is not None:
            ee = ee + (exact - _divided_by_roots(stochastic_gradient(perturbed), scales)).square().sum()
    return GradientMagnitudes(float(gg) / number, float(ee) / number)


def default_maximum_step_length(fixed: Grid, moving: Grid) -> float:
    """Mean of the in-plane (x and y) spacings of both images in mm; the map's ratio multiplies it."""
    spacings = (*fixed.spacing[:2], *moving.spacing[:2])
    return sum(spacings) / len(spacings)


def _divided_by_roots(values: Tensor, scales: Tensor | None) -> Tensor:
    return values if scales is None else values * scales.rsqrt()


def _ratio(numerator: float, denominator: float) -> float:
    """The quotient, or 0 where there is nothing to divide by."""
    return numerator / denominator if denominator > _NOTHING else 0.0
