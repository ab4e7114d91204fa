"""Regular steps by hand."""

import pytest
import torch

from elastix_impact.errors import InputError
from elastix_impact.optimizers.base import GRADIENT_TOO_SMALL, STEP_TOO_SMALL
from elastix_impact.optimizers.regular_step import RegularStepGradientDescent, RegularStepSettings


def test_regular_steps_stop_and_stay() -> None:
    settings = RegularStepSettings(maximum_step_length=1.0, minimum_step_length=0.3)
    optimizer, parameters = RegularStepGradientDescent(settings), torch.tensor([0.9])
    state, seen = optimizer.init(parameters), []
    for _ in range(8):
        parameters, state = optimizer.step(parameters, parameters.clone(), state)
        seen.append((round(parameters.item(), 4), optimizer.stopped(state).item()))
    assert seen[0] == (-0.1, 0.0)
    assert seen[1] == (0.4, 0.0)
    assert [stopped for _, stopped in seen[2:]] == [1.0] * 6
    assert len({value for value, _ in seen[2:]}) == 1


def test_steps_have_one_length_until_the_gradient_turns() -> None:
    """On |x|^2 / 2 from far away the first steps go straight to the middle."""
    settings = RegularStepSettings(maximum_step_length=2.0, minimum_step_length=1e-6, relaxation_factor=0.25)
    optimizer, parameters = RegularStepGradientDescent(settings), torch.tensor([3.0, 4.0])
    state, lengths = optimizer.init(parameters), []
    for _ in range(5):
        before = parameters
        parameters, state = optimizer.step(parameters, parameters.clone(), state)
        lengths.append((parameters - before).norm().item())
    assert lengths == pytest.approx([2.0, 2.0, 2.0, 0.5, 0.5])


def test_a_flat_place_is_told_from_a_short_step() -> None:
    settings = RegularStepSettings(maximum_step_length=2.0, minimum_step_length=0.1, minimum_gradient_magnitude=1e-3)
    optimizer, parameters = RegularStepGradientDescent(settings), torch.tensor([3.0, 4.0])
    new, state = optimizer.step(parameters, torch.tensor([1e-4, 0.0]), optimizer.init(parameters))
    assert optimizer.stopped(state).item() == GRADIENT_TOO_SMALL
    _, state = optimizer.step(new, torch.ones(2), state)
    assert optimizer.stopped(state).item() == GRADIENT_TOO_SMALL, "the first reason stays"
    assert STEP_TOO_SMALL != GRADIENT_TOO_SMALL


@pytest.mark.parametrize(
    "wrong", [{"maximum_step_length": 0.0}, {"minimum_step_length": -1.0}, {"relaxation_factor": 1.0}]
)
def test_impossible_settings_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="Expected"):
        RegularStepSettings(**{"maximum_step_length": 1.0, "minimum_step_length": 0.1, **wrong})


@pytest.mark.parametrize("factor", [0.0, 1.0, -0.5])
def test_steps_that_are_not_shortened_or_vanish_at_once_are_refused(factor: float) -> None:
    with pytest.raises(InputError, match="RelaxationFactor"):
        RegularStepSettings(maximum_step_length=1.0, minimum_step_length=0.1, relaxation_factor=factor)


def test_a_short_step_stays_the_reason_where_it_is_flat_later_and_time_goes_on() -> None:
    settings = RegularStepSettings(maximum_step_length=1.0, minimum_step_length=0.6, minimum_gradient_magnitude=1e-3)
    optimizer, parameters = RegularStepGradientDescent(settings), torch.tensor([0.0])
    state = optimizer.init(parameters)
    for gradient, reason in ((1.0, 0.0), (-1.0, STEP_TOO_SMALL), (0.0, STEP_TOO_SMALL)):
        parameters, state = optimizer.step(parameters, torch.tensor([gradient]), state)
        assert optimizer.stopped(state).item() == reason
    assert optimizer.time(state).item() == 3.0
    assert parameters.tolist() == [-1.0]
