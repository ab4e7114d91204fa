"""What GaussianMI says of feature vectors, beyond its formula: that it is information, and holds with few samples."""

import math

import pytest
import torch

from elastix_impact.metrics.impact.distances import gaussian_information, gaussian_mutual_information


def _information(fixed, moving, share=None):
    """Of all samples: GaussianMI's own, or with this share of the identity."""
    weights = torch.ones_like(fixed[:, 0])
    if share is None:
        return -gaussian_mutual_information(fixed, moving, weights, weights.sum())
    return gaussian_information(fixed, moving, weights, weights.sum(), torch.tensor(share).to(fixed))


def _normal(generator, *shape, dtype=torch.float64):
    return torch.randn(shape, generator=generator, dtype=dtype)


def test_of_two_channels_it_is_a_function_of_their_correlation(generator):
    one, other = _normal(generator, 100, 1), _normal(generator, 100, 1)
    pair = one, 0.6 * one - other
    correlation = torch.corrcoef(torch.cat(pair, 1).T)[0, 1]
    torch.testing.assert_close(_information(*pair, share=0.0), -0.5 * torch.log(1 - correlation.square()))


def test_without_shrinkage_invertible_linear_maps_of_either_side_change_nothing(generator):
    fixed, noise = _normal(generator, 300, 5), _normal(generator, 300, 5)
    moving = fixed @ _normal(generator, 5, 5) + noise
    mapped = fixed @ _normal(generator, 5, 5) + 7, -30 * moving @ _normal(generator, 5, 5)
    expected = _information(fixed, moving, share=0.0)
    assert expected > 1
    torch.testing.assert_close(_information(*mapped, share=0.0), expected)


def test_with_shrinkage_scale_sign_and_offset_of_a_channel_change_nothing(generator):
    fixed, noise = _normal(generator, 300, 3), _normal(generator, 300, 3)
    moving = fixed + noise
    scaled = moving * torch.tensor([-1.0, 1e3, 1e-4], dtype=torch.float64) + 5
    torch.testing.assert_close(_information(fixed, scaled), _information(fixed, moving))


def test_uncorrelated_features_tell_nothing_of_each_other(generator):
    columns = torch.linalg.qr(torch.cat((torch.ones(50, 1).double(), _normal(generator, 50, 8)), 1)).Q[:, 1:]
    fixed, moving = columns[:, :4] @ _normal(generator, 4, 4), columns[:, 4:] @ _normal(generator, 4, 4)
    assert _information(fixed, moving).item() == pytest.approx(0, abs=1e-12)
    many = _normal(generator, 20_000, 8)
    assert 0 < _information(many[:, :4], many[:, 4:]) < 3 * 4 * 4 / (2 * 20_000)


@pytest.mark.parametrize("samples", [0, 1, 2, 10, 40])
def test_fewer_samples_than_channels_give_finite_bounded_information_and_gradient(generator, samples):
    fixed, moving = _normal(generator, 40, 32, dtype=torch.float32), _normal(generator, 40, 32, dtype=torch.float32)
    weights = (torch.arange(40) < samples).float()
    share = 6.4 / (6.4 + max(samples, 1))
    bound = -16 * math.log(1 - (1 - share) ** 2)
    for other in (moving, fixed.clone()):
        value = gaussian_mutual_information(fixed, other.requires_grad_(), weights, weights.sum().clamp_min(1.0))
        (gradient,) = torch.autograd.grad(value, other)
        assert -bound - 1e-3 <= value <= 1e-4
        assert gradient.isfinite().all()
        assert (gradient[weights == 0] == 0).all()


@pytest.mark.parametrize("level", [0.1, 1e6])
def test_a_channel_that_is_constant_up_to_rounding_adds_nothing(generator, level):
    fixed, moving = (_normal(generator, 200, 3, dtype=torch.float32) for _ in "fm")
    flat = torch.full((200, 1), level)
    expected = _information(fixed, moving, 0.01)
    wide = torch.cat((moving, flat), 1).requires_grad_()
    value = _information(torch.cat((fixed, flat), 1), wide, 0.01)
    torch.testing.assert_close(value, expected)
    (gradient,) = torch.autograd.grad(value, wide)
    assert gradient[:, 3].abs().max() == 0
    assert gradient[:, :3].abs().max() > 0


def test_more_samples_are_shrunk_less_but_never_to_nothing(generator):
    fixed = _normal(generator, 10_000, 2, dtype=torch.float32)
    few, many = _information(fixed[:20], fixed[:20]), _information(fixed, fixed)
    limit = -math.log(1 - (1 - 0.001) ** 2)
    assert few < 0.7 * many
    torch.testing.assert_close(many.item(), limit, rtol=1e-3, atol=0)


def test_single_precision_agrees_with_double_on_alike_features(generator):
    fixed = _normal(generator, 2000, 8) @ _normal(generator, 8, 32) * 100 + 1000
    moving = fixed + _normal(generator, 2000, 32)
    exact = moving.clone().requires_grad_()
    coarse = moving.float().requires_grad_()
    values = _information(fixed, exact), _information(fixed.float(), coarse)
    torch.testing.assert_close(values[1].double(), values[0], rtol=1e-4, atol=0)
    gradients = [torch.autograd.grad(*row)[0].double() for row in zip(values, (exact, coarse))]
    assert (gradients[1] - gradients[0]).norm() < 0.01 * gradients[0].norm()
