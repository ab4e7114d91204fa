"""What every optimiser promises, and the textbook recursions of the two gradient descents."""

import math
import pickle
from collections.abc import Callable

import pytest
import torch

from elastix_impact.errors import InputError
from elastix_impact.optimizers.adam import Adam, AdamSettings
from elastix_impact.optimizers.asgd import AdaptiveStochasticGradientDescent, AsgdSettings
from elastix_impact.optimizers.base import AbstractOptimizer
from elastix_impact.optimizers.gradient_descent import GradientDescentSettings, StandardGradientDescent
from elastix_impact.optimizers.regular_step import RegularStepGradientDescent, RegularStepSettings

MAKERS: dict[str, Callable[[torch.Tensor | None], AbstractOptimizer]] = {
    "ASGD": lambda scales: AdaptiveStochasticGradientDescent(AsgdSettings(a=2.0, sigmoid_scale=0.1), scales),
    "constant ASGD": lambda scales: AdaptiveStochasticGradientDescent(
        AsgdSettings(a=2.0, use_constant_step=True), scales
    ),
    "decaying ASGD": lambda scales: AdaptiveStochasticGradientDescent(
        AsgdSettings(a=2.0, use_adaptive_step_sizes=False), scales
    ),
    "SGD": lambda scales: StandardGradientDescent(GradientDescentSettings(a=2.0), scales),
    "regular steps": lambda scales: RegularStepGradientDescent(
        RegularStepSettings(maximum_step_length=0.5, minimum_step_length=1e-3), scales
    ),
    "Adam": lambda scales: Adam(AdamSettings(learning_rate=0.2, iterations=400), scales),
}


@pytest.fixture(params=list(MAKERS))
def make(request: pytest.FixtureRequest) -> Callable[[torch.Tensor | None], AbstractOptimizer]:
    return MAKERS[request.param]


def run(optimizer: AbstractOptimizer, start: torch.Tensor, steps: int) -> torch.Tensor:
    """Minimise |x - 1|^2 / 2."""
    parameters, state = start, optimizer.init(start)
    for _ in range(steps):
        parameters, state = optimizer.step(parameters, parameters.detach() - 1, state)
    return parameters


def test_it_goes_downhill(make) -> None:
    start = torch.tensor([3.0, -2.0, 0.5])
    assert (run(make(None), start, 200) - 1).norm() < 0.1 * (start - 1).norm()


def test_the_state_holds_tensors_only_and_nothing_is_changed_in_place(make) -> None:
    optimizer, start = make(None), torch.tensor([3.0, -2.0], requires_grad=True)
    state = optimizer.init(start)
    before = [field.clone() for field in state]
    gradient = torch.tensor([1.0, 2.0])
    new, after = optimizer.step(start, gradient, state)
    assert all(isinstance(field, torch.Tensor) for field in after)
    assert all(torch.equal(one, other) for one, other in zip(before, state, strict=True))
    assert start.tolist() == [3.0, -2.0]
    assert gradient.tolist() == [1.0, 2.0]
    assert not new.requires_grad
    assert optimizer.step_size(after).shape == optimizer.time(after).shape == ()


def test_no_gradient_means_no_step(make) -> None:
    optimizer, start = make(None), torch.tensor([3.0, -2.0])
    new, state = optimizer.step(start, torch.zeros(2), optimizer.init(start))
    assert torch.equal(new, start)
    assert all(field.isfinite().all() for field in state)


def test_the_first_gain_is_known_before_the_first_step(make) -> None:
    optimizer, start = make(None), torch.tensor([3.0, -2.0])
    state = optimizer.init(start)
    expected = optimizer.step_size(state)
    _, after = optimizer.step(start, torch.ones(2), state)
    assert torch.equal(optimizer.step_size(after), expected)


def test_scales_of_one_change_nothing(make) -> None:
    start = torch.tensor([3.0, -2.0])
    torch.testing.assert_close(run(make(torch.ones(2)), start, 20), run(make(None), start, 20), rtol=0, atol=0)


@pytest.mark.parametrize("make", [MAKERS[name] for name in MAKERS if name != "regular steps"])
def test_scales_mean_steps_in_scaled_parameters(make) -> None:
    """Minimising f(y / r) by y from r x, r the roots of the scales, and dividing by r is what the scales do."""
    roots, start = torch.tensor([3.0, 0.5]), torch.tensor([3.0, -2.0])
    plain, scaled = make(None), make(roots.square())
    y, y_state = start * roots, plain.init(start * roots)
    x, x_state = start, scaled.init(start)
    for _ in range(5):
        y, y_state = plain.step(y, (y / roots - 1) / roots, y_state)
        x, x_state = scaled.step(x, x - 1, x_state)
    torch.testing.assert_close(x, y / roots)
    torch.testing.assert_close(scaled.time(x_state), plain.time(y_state))


def test_regular_steps_divide_the_gradient_by_the_scales_as_itk_does() -> None:
    """The step's length is that of the gradient over the scales."""
    settings = RegularStepSettings(maximum_step_length=0.5, minimum_step_length=1e-3)
    optimizer = RegularStepGradientDescent(settings, torch.tensor([1.0, 4.0]))
    start = torch.zeros(2)
    new, _ = optimizer.step(start, torch.tensor([3.0, 16.0]), optimizer.init(start))
    torch.testing.assert_close(new, torch.tensor([-0.3, -0.4]))


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_impossible_scales_are_refused(make, bad: float) -> None:
    with pytest.raises(InputError, match="scales"):
        make(torch.tensor([1.0, bad]))


def test_it_can_be_pickled(make) -> None:
    start = torch.tensor([3.0, -2.0])
    optimizer = pickle.loads(pickle.dumps(make(torch.tensor([2.0, 3.0]))))
    torch.testing.assert_close(run(optimizer, start, 3), run(make(torch.tensor([2.0, 3.0])), start, 3))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cpu_and_gpu_agree(make) -> None:
    start = torch.tensor([3.0, -2.0])
    torch.testing.assert_close(run(make(None), start.cuda(), 20).cpu(), run(make(None), start, 20))


def asgd_by_hand(settings: AsgdSettings, gradients: list[list[float]]) -> list[tuple[float, float]]:
    """Times and gains of the steps by the formulas of the paper, in Python numbers."""
    time, rows = settings.initial_time, []
    low, high, width = settings.sigmoid_min, settings.sigmoid_max, settings.sigmoid_scale
    for number, gradient in enumerate(gradients):
        rows.append((time, settings.a / (settings.A + time + 1) ** settings.alpha))
        if number > 0:
            product = sum(g * p for g, p in zip(gradient, gradients[number - 1], strict=True))
            shift = width * math.log(-high / low)
            time = max(0.0, time + low + (high - low) / (1 + math.exp(-(-product - shift) / width)))
    return rows


@pytest.mark.parametrize("initial_time", [0.0, 3.0])
def test_asgd_times_follow_the_paper(initial_time: float) -> None:
    settings = AsgdSettings(a=5.0, A=10.0, alpha=0.9, sigmoid_min=-0.6, sigmoid_scale=0.7, initial_time=initial_time)
    gradients = torch.randn(30, 4, generator=torch.Generator().manual_seed(3))
    optimizer = AdaptiveStochasticGradientDescent(settings)
    parameters = torch.zeros(4)
    state, rows = optimizer.init(parameters), []
    for gradient in gradients:
        parameters, state = optimizer.step(parameters, gradient, state)
        rows.append((float(optimizer.time(state)), float(optimizer.step_size(state))))
    expected = asgd_by_hand(settings, gradients.double().tolist())
    assert torch.tensor(rows).isclose(torch.tensor(expected), rtol=1e-5, atol=1e-5).all()
    assert rows[1][0] == pytest.approx(initial_time, abs=1e-6)


def test_a_vanishing_sigmoid_is_a_step_and_never_nan() -> None:
    settings = AsgdSettings(a=1.0, sigmoid_min=0.0, sigmoid_scale=1e-30)
    optimizer = AdaptiveStochasticGradientDescent(settings)
    parameters = torch.zeros(2)
    state = optimizer.init(parameters)
    for sign in (1.0, -1.0, 1.0, 1.0, 0.0):
        parameters, state = optimizer.step(parameters, torch.full((2,), 1e6 * sign), state)
        assert all(field.isfinite().all() for field in state)


def test_gradient_descent_gain_is_that_of_robbins_and_monro() -> None:
    optimizer = StandardGradientDescent(GradientDescentSettings(a=4.0, A=7.0, alpha=0.6))
    parameters = torch.zeros(1)
    state = optimizer.init(parameters)
    for number in range(5):
        parameters, state = optimizer.step(parameters, torch.ones(1), state)
        assert float(optimizer.step_size(state)) == pytest.approx(4.0 / (8.0 + number) ** 0.6, rel=1e-6)
        assert float(optimizer.time(state)) == number


@pytest.mark.parametrize(
    "wrong",
    [{"a": -1.0}, {"a": math.nan}, {"A": -1.0}, {"sigmoid_max": 0.0}, {"sigmoid_min": 0.1}, {"sigmoid_scale": 0.0}],
)
def test_impossible_settings_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="Expected"):
        AsgdSettings(**{"a": 1.0, **wrong})


def test_impossible_gain_is_named() -> None:
    with pytest.raises(InputError, match="SP_a"):
        GradientDescentSettings(a=-1.0)
