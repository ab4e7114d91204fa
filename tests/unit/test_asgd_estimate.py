"""Step size estimation: the formulas, what happens without a gradient, and the measuring of gradients."""

import math

import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.optimizers.asgd import AsgdSettings
from elastix_impact.optimizers.asgd_estimate import (
    GradientMagnitudes,
    default_maximum_step_length,
    displacement_statistic,
    estimate_displacement_distribution,
    estimate_original,
    number_of_gradient_measurements,
    number_of_jacobian_measurements,
    sample_gradients,
)
from elastix_impact.optimizers.jacobian_terms import JacobianTerms

TERMS = JacobianTerms(trace_c=2.0, trace_cc=1.5, max_jj=4.0, max_jcj=3.0)
BASE = AsgdSettings(a=0.0, A=20.0)


def test_original_follows_the_paper() -> None:
    asked = []

    def measure(sigma: float, number: int) -> GradientMagnitudes:
        asked.append((sigma, number))
        return GradientMagnitudes(gg=8.0, ee=2.0)

    estimate = estimate_original(BASE, TERMS, measure, maximum_step_length=0.5)
    assert asked == [(0.25, 12)]  # delta / sqrt(maxJJ); ceil(8 * 1.5 / 2**2 / 0.5**2)
    assert estimate.noise_factor == pytest.approx(0.8)
    assert estimate.settings.a == pytest.approx(20 * 0.5 / 2.0 / math.sqrt(3.0) * 0.8)
    assert estimate.settings.alpha == 1.0
    assert estimate.settings.sigmoid_max == 1.0
    assert estimate.settings.sigmoid_min == pytest.approx(-0.99 + 0.98 * 0.8)
    assert estimate.settings.sigmoid_scale == pytest.approx(0.1 * 1.0 * math.sqrt(1.5))
    kept = estimate_original(BASE, TERMS, measure, maximum_step_length=0.5, sigmoid_to_default=True)
    assert kept.settings.a == estimate.settings.a
    assert (kept.settings.sigmoid_min, kept.settings.sigmoid_scale) == (-0.8, 1e-8)


def test_a_metric_in_other_units_gives_the_same_steps() -> None:
    for unit in (1.0, 1e-7):
        estimate = estimate_original(
            BASE, TERMS, lambda *_, u=unit: GradientMagnitudes(8.0 * u * u, 2.0 * u * u), maximum_step_length=0.5
        )
        assert estimate.settings.a * unit == pytest.approx(2.309401, rel=1e-6)
        assert estimate.settings.sigmoid_scale == pytest.approx(0.1 * math.sqrt(1.5) * unit * unit, rel=1e-6)


def test_no_gradient_gives_no_gain() -> None:
    def nothing(sigma: float, number: int) -> GradientMagnitudes:
        return GradientMagnitudes(0.0, 0.0)

    original = estimate_original(BASE, TERMS, nothing, maximum_step_length=1.0)
    assert original.settings.a == 0.0
    for measure in (nothing, None):
        estimate = estimate_displacement_distribution(BASE, torch.zeros(50), 4.0, measure, maximum_step_length=1.0)
        assert estimate.settings.a == 0.0
    no_jacobian = JacobianTerms(0.0, 0.0, 0.0, 0.0)
    empty = estimate_original(BASE, no_jacobian, lambda *_: GradientMagnitudes(1.0, 1.0), maximum_step_length=1.0)
    assert empty.settings.a == 0.0


def test_displacement_distribution_follows_the_paper() -> None:
    magnitudes = torch.tensor([1.0, 3.0])
    plain = estimate_displacement_distribution(BASE, magnitudes, 4.0, None, maximum_step_length=0.5)
    assert plain.settings.a == pytest.approx(0.5 * 21 / 4.0)
    assert plain.number_of_gradient_measurements == 0
    noisy = estimate_displacement_distribution(
        BASE, magnitudes, 4.0, lambda *_: GradientMagnitudes(3.0, 1.0), maximum_step_length=0.5
    )
    assert noisy.settings.a == pytest.approx(0.75 * 0.5 * 21 / 4.0)
    assert (noisy.number_of_gradient_measurements, noisy.perturbation_sigma) == (2, 0.25)


def test_percentile_is_the_mean_of_three() -> None:
    magnitudes = torch.arange(100.0).flip(0)
    assert displacement_statistic(magnitudes, "95percentile") == 95.0
    assert displacement_statistic(torch.tensor([2.0]), "95percentile") == 2.0


def test_numbers_of_measurements() -> None:
    assert number_of_gradient_measurements(TERMS) == 12
    assert number_of_gradient_measurements(JacobianTerms(10.0, 1.0, 1.0, 1.0)) == 2
    assert number_of_gradient_measurements(JacobianTerms(0.0, 0.0, 0.0, 0.0)) == 2
    assert (number_of_jacobian_measurements(12), number_of_jacobian_measurements(5000)) == (1000, 5000)


def test_sampled_gradients_of_a_quadratic(generator: torch.Generator) -> None:
    """For f = |x|^2 / 2, x ~ N(m, s^2): E gg = |m|^2 + P s^2; an error of variance v per entry gives ee = P v."""
    start = torch.full((2000,), 2.0)
    noise = torch.Generator().manual_seed(9)
    gg, ee = sample_gradients(
        start, 0.5, 20, lambda x: x, lambda x: x + 0.3 * torch.randn(x.shape, generator=noise), generator
    )
    assert gg == pytest.approx(2000 * 4.25, rel=0.01)
    assert ee == pytest.approx(2000 * 0.09, rel=0.05)


def test_sampled_gradients_live_in_scaled_parameters(generator: torch.Generator) -> None:
    """With y = 4 x: the perturbation of x is sigma / 4 and the gradient by y is x / 4."""
    scales = torch.full((3000,), 16.0)
    gg, ee = sample_gradients(torch.zeros(3000), 2.0, 10, lambda x: x, None, generator, scales)
    assert gg == pytest.approx(3000 * (2.0 / 4.0 / 4.0) ** 2, rel=0.03)
    assert ee == 0.0


def test_default_step_is_the_mean_in_plane_spacing() -> None:
    fixed, moving = Grid.axis_aligned((9, 9, 9), (1.0, 2.0, 9.0)), Grid.axis_aligned((9, 9, 9), (3.0, 4.0, 9.0))
    assert default_maximum_step_length(fixed, moving) == 2.5


def test_two_deviations_above_the_mean() -> None:
    """Of 1, 1, 5 and 9 the mean is 4 and the variance 11."""
    assert displacement_statistic(torch.tensor([1.0, 5.0, 9.0, 1.0]), "2sigma") == pytest.approx(4 + 2 * math.sqrt(11))
