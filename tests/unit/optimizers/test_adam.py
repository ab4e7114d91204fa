"""Adam beside PyTorch's, its cosine, and what failed evaluations do to it."""

import pytest
import torch

from elastix_impact.errors import InputError
from elastix_impact.optimizers.adam import Adam, AdamSettings


def test_adam_is_that_of_pytorch() -> None:
    theirs = torch.tensor([3.0, -2.0, 0.5], dtype=torch.float64, requires_grad=True)
    peer = torch.optim.Adam([theirs], lr=0.1)
    ours, optimizer = theirs.detach().clone(), Adam(AdamSettings(learning_rate=0.1, iterations=50, cosine_decay=False))
    state = optimizer.init(ours)
    for _ in range(50):
        peer.zero_grad()
        ((theirs - 1) ** 4).sum().backward()
        peer.step()
        ours, state = optimizer.step(ours, 4 * (ours - 1) ** 3, state)
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-6, atol=1e-8)


def test_the_cosine_ends_at_zero() -> None:
    optimizer = Adam(AdamSettings(learning_rate=1.0, iterations=10))
    parameters = torch.zeros(2)
    state, rates = optimizer.init(parameters), []
    for _ in range(11):
        parameters, state = optimizer.step(parameters, torch.ones(2), state)
        rates.append(optimizer.step_size(state).item())
    assert rates[0] == pytest.approx(1.0)
    assert rates[5] == pytest.approx(0.5)
    assert rates[10] == pytest.approx(0.0, abs=1e-6)


def test_an_evaluation_that_failed_changes_nothing() -> None:
    """Its gradient is zero; momentum must not go on without measurements."""
    optimizer = Adam(AdamSettings(learning_rate=0.1, iterations=10))
    parameters = torch.zeros(2)
    state = optimizer.init(parameters)
    unmoved, first = optimizer.step(parameters, torch.zeros(2), state)
    assert torch.equal(unmoved, parameters)
    parameters, state = optimizer.step(parameters, torch.tensor([1.0, -2.0]), first)
    unmoved, after = optimizer.step(parameters, torch.zeros(2), state)
    assert torch.equal(unmoved, parameters)
    assert all(torch.equal(a, b) for a, b in zip(after[2:], state[2:]))
    assert torch.equal(after.time, state.time)


@pytest.mark.parametrize("wrong", [{"learning_rate": 0.0}, {"beta1": 1.0}, {"beta2": -0.1}, {"epsilon": 0.0}])
def test_impossible_settings_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="Expected"):
        AdamSettings(**{"learning_rate": 0.1, "iterations": 5, **wrong})


def test_scales_divide_the_steps_as_parameters_that_were_scaled() -> None:
    """Steps with scales s are those of sqrt(s) times the parameters without."""
    scales, generator = torch.tensor([4.0, 0.25, 1.0]), torch.Generator().manual_seed(1)
    settings = AdamSettings(learning_rate=0.1, iterations=10, epsilon=0.5)  # beside which the gradient's unit counts
    scaled, plain = Adam(settings, scales), Adam(settings)
    parameters, roots = torch.tensor([1.0, 2.0, 3.0]), scales.sqrt()
    other, state, other_state = parameters * roots, scaled.init(parameters), plain.init(parameters)
    for _ in range(5):
        gradient = torch.randn(3, generator=generator)
        parameters, state = scaled.step(parameters, gradient, state)
        other, other_state = plain.step(other, gradient / roots, other_state)
        torch.testing.assert_close(parameters * roots, other)


def test_the_rate_stays_at_zero_after_the_last_iteration() -> None:
    adam = Adam(AdamSettings(learning_rate=0.1, iterations=3))
    parameters = torch.ones(2)
    state = adam.init(parameters)
    rates = []
    for _ in range(6):
        parameters, state = adam.step(parameters, torch.ones(2), state)
        rates.append(float(adam.step_size(state)))
    assert rates == pytest.approx([0.1, 0.075, 0.025, 0.0, 0.0, 0.0], abs=1e-7)


@pytest.mark.parametrize("wrong", [{"beta1": -0.1}, {"beta2": -0.5}, {"beta1": 1.0}, {"beta2": 1.0}])
def test_running_means_need_a_share_from_zero_to_below_one(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="Beta"):
        AdamSettings(learning_rate=0.1, iterations=3, **wrong)
