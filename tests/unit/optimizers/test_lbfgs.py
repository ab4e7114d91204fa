"""Limited-memory BFGS on functions whose minima are known, beside the dense textbook update and PyTorch's."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from elastix_impact.errors import InputError
from elastix_impact.optimizers.base import (
    GRADIENT_VANISHED,
    STEP_VANISHED,
    WOLFE_VIOLATED,
    Evaluation,
)
from elastix_impact.optimizers.lbfgs import Lbfgs, LbfgsSettings, LbfgsState, search_direction

Function = Callable[[Tensor], Tensor]


class Counted:
    """A function with its gradient, counting its evaluations; infinite where its value is."""

    def __init__(self, function: Function) -> None:
        self.function, self.calls = function, 0

    def __call__(self, parameters: Tensor) -> Evaluation:
        self.calls += 1
        leaf = parameters.clone().requires_grad_()
        value = self.function(leaf)
        (gradient,) = torch.autograd.grad(value, leaf)
        return Evaluation(float(value.detach()), gradient, parameters)


def rosenbrock(x: Tensor) -> Tensor:
    return ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum()


def run(
    optimizer: Lbfgs, function: Counted, start: Tensor, iterations: int
) -> tuple[Tensor, Evaluation, LbfgsState, int]:
    parameters, here, state = start, function(start), optimizer.init(start)
    for number in range(iterations):
        parameters, here, state = optimizer.step(parameters, here, function, state)
        if optimizer.stopped(state):
            return parameters, here, state, number
    return parameters, here, state, iterations


@pytest.mark.parametrize("scales", [None, [4.0, 0.25]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_finds_the_bottom_of_rosenbrocks_valley(dtype: torch.dtype, scales: list[float] | None) -> None:
    start = torch.tensor([-1.2, 1.0], dtype=dtype)
    optimizer = Lbfgs(LbfgsSettings(), None if scales is None else torch.tensor(scales, dtype=dtype))
    function = Counted(rosenbrock)
    parameters, here, state, iterations = run(optimizer, function, start, 200)
    torch.testing.assert_close(parameters, torch.ones(2, dtype=dtype), atol=1e-4, rtol=0)
    assert here.found is parameters or torch.equal(here.found, parameters)
    assert optimizer.stopped(state) in (GRADIENT_VANISHED, STEP_VANISHED)
    assert start.tolist() == pytest.approx([-1.2, 1.0])
    assert iterations < 60
    assert function.calls < 1.5 * iterations + 1, "most first trials are accepted, and nothing is measured twice"


def test_it_is_about_as_quick_as_scipys() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    start = torch.tensor([-1.2, 1.0, -0.5, 2.0], dtype=torch.float64)
    function, theirs = Counted(rosenbrock), Counted(rosenbrock)
    _, here, *_ = run(Lbfgs(LbfgsSettings()), function, start, 200)

    def peer(x):
        value, gradient, _ = theirs(torch.from_numpy(x.copy()))
        return value, gradient.numpy()

    optimize.minimize(peer, start.numpy(), jac=True, method="L-BFGS-B", options={"maxcor": 5, "gtol": 1e-6})
    assert here.value < 1e-10
    assert function.calls < 1.5 * theirs.calls


def hessian_inverse(steps: list[Tensor], changes: list[Tensor]) -> Tensor:
    """BFGS's inverse Hessian by the dense formula, Nocedal and Wright, equations 6.17 and 7.20."""
    identity = torch.eye(len(steps[0]), dtype=torch.float64)
    matrix = torch.dot(steps[-1], changes[-1]) / torch.dot(changes[-1], changes[-1]) * identity
    for s, y in zip(steps, changes):
        rho = 1 / torch.dot(s, y)
        left = identity - rho * torch.outer(s, y)
        matrix = left @ matrix @ left.T + rho * torch.outer(s, s)
    return matrix


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), pairs=st.integers(1, 6))
def test_the_direction_is_that_of_the_dense_update(seed: int, pairs: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(5, 5, dtype=torch.float64, generator=generator)
    hessian = root @ root.T + torch.eye(5, dtype=torch.float64)
    steps = list(torch.randn(pairs, 5, dtype=torch.float64, generator=generator))
    changes = [hessian @ step for step in steps]
    gradient = torch.randn(5, dtype=torch.float64, generator=generator)
    direction = search_direction(gradient, steps, changes)
    torch.testing.assert_close(direction, -hessian_inverse(steps, changes) @ gradient, rtol=1e-6, atol=1e-6)
    assert torch.dot(direction, gradient) < 0


def test_the_first_direction_has_length_one() -> None:
    torch.testing.assert_close(search_direction(torch.tensor([3.0, 4.0]), (), ()), torch.tensor([-0.6, -0.8]))


def test_a_quadratic_function_takes_few_steps() -> None:
    """With exact enough line searches n steps would do; these are loose."""
    weights = torch.tensor([1.0, 3.0, 10.0, 30.0], dtype=torch.float64)
    start = torch.tensor([4.0, -3.0, 2.0, 1.0], dtype=torch.float64)
    quadratic = Counted(lambda x: (weights * (x - 1) ** 2).sum())
    parameters, *_, iterations = run(Lbfgs(LbfgsSettings(memory=4)), quadratic, start, 100)
    torch.testing.assert_close(parameters, torch.ones(4, dtype=torch.float64), atol=1e-6, rtol=0)
    assert iterations < 20


def test_scales_mean_steps_in_scaled_parameters() -> None:
    roots = torch.tensor([3.0, 0.5], dtype=torch.float64)
    start = torch.tensor([-1.2, 1.0], dtype=torch.float64)
    x, *_ = run(Lbfgs(LbfgsSettings(), roots.square()), Counted(rosenbrock), start, 5)
    y, *_ = run(Lbfgs(LbfgsSettings()), Counted(lambda y: rosenbrock(y / roots)), start * roots, 5)
    torch.testing.assert_close(x, y / roots)


def test_memory_is_bounded_and_none_means_steepest_descent() -> None:
    start = torch.tensor([-1.2, 1.0], dtype=torch.float64)
    *_, state, _ = run(Lbfgs(LbfgsSettings(memory=3)), Counted(rosenbrock), start, 10)
    assert len(state.steps) == len(state.changes) == 3
    optimizer, function = Lbfgs(LbfgsSettings(memory=0, gradient_tolerance=0.1)), Counted(rosenbrock)
    state, here = optimizer.init(start), function(start)
    for _ in range(3):
        before, gradient = start, here.gradient
        start, here, state = optimizer.step(start, here, function, state)
        assert torch.cosine_similarity(start - before, -gradient, dim=0).item() == pytest.approx(1.0)


def test_a_flat_start_is_no_step() -> None:
    start = torch.ones(2)
    function, optimizer = Counted(rosenbrock), Lbfgs(LbfgsSettings())
    parameters, here, state, iterations = run(optimizer, function, start, 5)
    assert optimizer.stopped(state) == GRADIENT_VANISHED
    assert iterations == 0
    assert torch.equal(parameters, start)
    assert torch.equal(here.found, start)
    assert optimizer.report(state) is None


def test_the_gradient_counts_relative_to_large_parameters() -> None:
    start = torch.tensor([1000.0, 0.0])
    tolerance = 1e-3
    gentle = Counted(lambda x: 0.5 * x[0])
    optimizer = Lbfgs(LbfgsSettings(gradient_magnitude_tolerance=tolerance))
    *_, state, _ = run(optimizer, gentle, start, 1)
    assert optimizer.stopped(state) == GRADIENT_VANISHED
    *_, state, _ = run(optimizer, gentle, start / 1000, 1)
    assert optimizer.stopped(state) == 0


@pytest.mark.parametrize("stops", [True, False])
def test_a_search_that_fails_ends_it_if_asked(stops: bool) -> None:
    """A line that always falls as steeply has no flat point."""
    function = Counted(lambda x: -x.sum())
    optimizer = Lbfgs(LbfgsSettings(line_search_iterations=3, stop_if_wolfe_not_satisfied=stops))
    *_, state, iterations = run(optimizer, function, torch.zeros(2), 4)
    assert optimizer.stopped(state) == (WOLFE_VIOLATED if stops else 0)
    assert iterations == (1 if stops else 4)
    assert function.calls == 1 + 3 * iterations


def test_places_that_cannot_be_used_are_avoided() -> None:
    """The first trial falls where the function is infinite."""
    function = Counted(lambda x: torch.where(x[0] > 1.5, torch.inf, 1.0) * (x - 1).square().sum())
    start = torch.tensor([-3.0, 0.0], dtype=torch.float64)
    optimizer = Lbfgs(LbfgsSettings(step_length=20.0))
    parameters, here, *_ = run(optimizer, function, start, 30)
    assert math.isfinite(here.value)
    torch.testing.assert_close(parameters, torch.ones(2, dtype=torch.float64), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"step_length": 0.0},
        {"value_tolerance": 0.95},
        {"gradient_tolerance": 1.0},
        {"memory": -1},
        {"line_search_iterations": 0},
    ],
)
def test_impossible_settings_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="Expected"):
        LbfgsSettings(**wrong)


@pytest.mark.parametrize(("norm", "tolerance", "stops"), [(1.0, 0.4, False), (0.5, 0.6, True), (2.0, 0.26, True)])
def test_parameters_below_one_count_as_one(norm: float, tolerance: float, stops: bool) -> None:
    """A gradient of 0.5: 0.5 is above 0.4, below 0.6, and 0.5 / 2 below 0.26."""
    optimizer = Lbfgs(LbfgsSettings(gradient_magnitude_tolerance=tolerance))
    *_, state, _ = run(optimizer, Counted(lambda x: 0.5 * x[0]), torch.tensor([norm, 0.0]), 1)
    assert optimizer.stopped(state) == (GRADIENT_VANISHED if stops else 0)
