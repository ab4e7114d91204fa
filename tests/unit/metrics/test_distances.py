"""The distances against their definitions written out sample by sample."""

import math
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elastix_impact.metrics.impact.distances import DISTANCES, NORMALISED
from elastix_impact.parameters.metric_plan import Distance


def _reference(name, f, m):
    """Textbook definitions over lists of samples, numpy float64."""
    channels = f.shape[1]
    per_sample = []
    for a, b in zip(f, m):
        norms = np.linalg.norm(a) * np.linalg.norm(b)
        cos = a @ b / norms if norms else 0.0
        per_sample.append({
            "L1": np.abs(a - b).mean(),
            "L2": ((a - b) ** 2).mean(),
            "Cosine": -cos,
            "L1Cosine": -np.mean([cos * math.exp(-0.1 * abs(x - y)) for x, y in zip(a, b)]),
            "Dice": -(2 * (a @ b) / (a.sum() + b.sum()) if (a + b).sum() else 1.0),
            "DotProduct": -(a @ b),
        }.get(name, 0.0))  # fmt: skip
    if name == "GaussianMI":
        share = 0.2 * channels / (0.2 * channels + len(f))
        joint = (1 - share) * np.corrcoef(f, m, rowvar=False) + share * np.eye(2 * channels)
        parts = joint[:channels, :channels], joint[channels:, channels:], joint
        return -0.5 * (np.array([1, 1, -1]) @ [np.linalg.slogdet(part)[1] for part in parts])
    if name == "NCC":
        return -np.mean([np.corrcoef(f[:, c], m[:, c])[0, 1] for c in range(channels)])
    return np.mean(per_sample)


@pytest.mark.parametrize("name", DISTANCES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16), samples=st.integers(3, 12), channels=st.integers(1, 5))
def test_agrees_with_the_definition_and_ignores_samples_outside(name, seed, samples, channels):
    generator = torch.Generator().manual_seed(seed)
    f, m = (torch.rand(samples, channels, generator=generator, dtype=torch.float64) + 0.1 for _ in "fm")
    weights = torch.ones(samples, dtype=torch.float64)
    weights[-1] = 0
    value = DISTANCES[name](f, m, weights, weights.sum())
    assert value.item() == pytest.approx(_reference(name, f[:-1].numpy(), m[:-1].numpy()), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", DISTANCES)
def test_gradient_agrees_with_finite_differences(name, generator):
    f, m = (torch.rand(6, 3, generator=generator, dtype=torch.float64) for _ in "fm")
    weights = torch.tensor([1, 1, 0, 1, 1, 1], dtype=torch.float64)
    m.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: DISTANCES[name](f, x, weights, weights.sum()), (m,))


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("blank", ["fixed", "moving", "both"])
def test_empty_and_constant_features_give_finite_values_and_zero_gradient_where_undefined(name, blank):
    f, m = torch.rand(5, 3), torch.rand(5, 3)
    if blank in ("fixed", "both"):
        f = torch.zeros(5, 3)
    if blank in ("moving", "both"):
        m = torch.zeros(5, 3)
    m.requires_grad_()
    value = DISTANCES[name](f, m, torch.ones(5), torch.tensor(5.0))
    (gradient,) = torch.autograd.grad(value, m)
    assert value.isfinite()
    assert gradient.isfinite().all()
    if name in ("Cosine", "L1Cosine", "NCC") or (name == "Dice" and blank == "both"):
        assert gradient.abs().max() == 0
    if name == "GaussianMI":
        assert gradient.abs().max() < 1e-6
    if name == "Dice" and blank == "both":
        assert value == -1


@pytest.mark.parametrize("name", sorted(set(DISTANCES) - {"DotProduct", "Dice"}))
def test_identical_features_are_the_best_match(name, generator):
    f, m = (torch.randn(20, 4, generator=generator) for _ in "fm")
    weights, count = torch.ones(20), torch.tensor(20.0)
    assert DISTANCES[name](f, f, weights, count) < DISTANCES[name](f, m, weights, count)
    if name == "GaussianMI":
        share = 0.8 / 20.8
        assert DISTANCES[name](f, f, weights, count) > 2 * math.log(1 - (1 - share) ** 2)
    else:
        assert DISTANCES[name](f, f, weights, count) == pytest.approx(0 if name in NORMALISED else -1, abs=1e-5)


def test_maps_offer_these_distances_and_no_others():
    assert get_args(Distance) == tuple(DISTANCES)
