"""A loop continued from a saved state goes on as if it had never stopped, whatever the optimiser."""

from collections.abc import Mapping, Sequence
from functools import partial
from io import BytesIO
from typing import Any

import pytest
import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.metrics.base import AbstractMetric, MetricValue
from elastix_impact.optimizers.adam import Adam, AdamSettings
from elastix_impact.optimizers.asgd import AdaptiveStochasticGradientDescent, AsgdSettings
from elastix_impact.optimizers.gradient_descent import GradientDescentSettings, StandardGradientDescent
from elastix_impact.optimizers.lbfgs import Lbfgs, LbfgsSettings
from elastix_impact.optimizers.regular_step import RegularStepGradientDescent, RegularStepSettings
from elastix_impact.registration.advance import Advance, LoopSettings
from elastix_impact.registration.encoding import decode, encode
from elastix_impact.registration.loop import run_loop
from elastix_impact.registration.result import IterationRecord
from elastix_impact.registration.state import LoopState, RegistrationState
from elastix_impact.registration.stepping import AnyOptimizer
from elastix_impact.samplers.random import RandomCoordinateSampler
from elastix_impact.transforms.affine import AffineTransform, identity_parameters
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.transforms.translation import TranslationTransform

GRID = Grid.axis_aligned((8, 8), (1.0, 1.0), (-3.5, -3.5))
CPU = torch.device("cpu")
OPTIMIZERS: dict[str, AnyOptimizer] = {
    "asgd": AdaptiveStochasticGradientDescent(AsgdSettings(a=0.5, sigmoid_scale=0.1)),
    "gradient descent": StandardGradientDescent(GradientDescentSettings(a=0.5, A=5.0, alpha=0.6)),
    "regular steps": RegularStepGradientDescent(
        RegularStepSettings(maximum_step_length=1.0, minimum_step_length=1e-6, relaxation_factor=0.9)
    ),
    "adam": Adam(AdamSettings(learning_rate=0.1, iterations=45)),
    "lbfgs": Lbfgs(LbfgsSettings(gradient_magnitude_tolerance=0.0, stop_if_wolfe_not_satisfied=False)),
}


class DriftingBowl(AbstractMetric):
    """|translation - goal|^2 with the samples' mean and a number drawn at each evaluation; the goal moves every 7th."""

    def __init__(self, generator: torch.Generator, goal: Tensor) -> None:
        self.generator, self.goal = generator, goal

    def begin_iteration(self, iteration: int, transform: AbstractTransform) -> AbstractMetric:
        if iteration % 7:
            return self
        return DriftingBowl(self.generator, 0.5 * (self.goal + transform.parameters.detach()))

    def carried(self) -> dict[str, Tensor]:
        return {"goal": self.goal}

    def with_carried(self, carried: Mapping[str, Tensor], transform: AbstractTransform) -> AbstractMetric:
        del transform
        return DriftingBowl(self.generator, carried["goal"])

    def evaluate(self, transform: AbstractTransform, world_points: Tensor) -> MetricValue:
        noise = torch.rand((), generator=self.generator) + world_points.mean(0)
        value = ((transform.parameters - self.goal - 0.1 * noise) ** 2 * torch.tensor([1.0, 3.0])).sum()
        return MetricValue(value, torch.tensor(1.0), {"goal": self.goal.sum()})


def _advance(optimizer: AnyOptimizer, settings: LoopSettings) -> Advance:
    generator = torch.Generator().manual_seed(3)
    metric = DriftingBowl(generator, torch.tensor([1.0, -2.0]))
    sampler = RandomCoordinateSampler(GRID, None, 20, "cpu")
    return Advance(metric, TranslationTransform(torch.tensor([5.0, 3.0])), sampler, optimizer, settings, generator)


def _through_a_file(saved: dict[str, Any]) -> dict[str, Any]:
    file = BytesIO()
    torch.save(saved, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("anew", [True, False])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_continued_from_any_block_the_loop_ends_in_the_same_bytes(name: str, anew: bool) -> None:
    settings = LoopSettings(
        iterations=45, new_samples_every_iteration=anew, required_ratio_of_valid_samples=0.25,
        maximum_number_of_sampling_attempts=2, keep_parameters=False, features_change=True,
    )  # fmt: skip
    kept: list[dict[str, Any]] = []
    advance = _advance(OPTIMIZERS[name], settings)
    end = run_loop(
        advance, advance.begin(), settings, _ignore, lambda state: kept.append(_through_a_file(state.saved()))
    )
    assert len(kept) >= 4
    for saved in kept:
        fresh, reported = _advance(OPTIMIZERS[name], settings), list[IterationRecord]()
        again = run_loop(fresh, fresh.restored(saved), settings, partial(_note, reported), _ignore)
        assert torch.equal(again.parameters, end.parameters)
        assert torch.equal(again.generator, end.generator)
        assert _numbers(again) == _numbers(end)
        assert again.stop_reason is end.stop_reason
        assert [row.iteration for row in reported] == list(range(len(end.rows))), (
            "the rows made before, and the new ones"
        )


def _ignore(_: object) -> bool:
    return False


def _note(reported: list[IterationRecord], rows: Sequence[IterationRecord]) -> bool:
    reported.extend(rows)
    return False


def _numbers(state: LoopState) -> list[tuple[float, ...]]:
    return [(row.metric, row.time, row.step_size, row.gradient_norm, *row.parts.values()) for row in state.rows]


def test_the_same_state_leads_to_the_same_next_one() -> None:
    settings = LoopSettings(
        iterations=5, new_samples_every_iteration=True, required_ratio_of_valid_samples=0.25,
        maximum_number_of_sampling_attempts=2, keep_parameters=False,
    )  # fmt: skip
    advance = _advance(OPTIMIZERS["asgd"], settings)
    begun = advance.begin()
    one = advance.advance(begun)
    advance.advance(one)
    other = advance.advance(begun)
    assert torch.equal(one.parameters, other.parameters)
    assert torch.equal(one.generator, other.generator)
    assert begun.iteration == 0, "states are never changed"


def test_transforms_come_back_as_they_were() -> None:
    lattice = Grid.axis_aligned((5, 6), (10.0, 9.0), (-20.0, -20.0))
    spline = BSplineTransform(torch.randn(60, generator=torch.Generator().manual_seed(0)).double(), lattice, 2, True)
    chain = CompositeTransform(AffineTransform(identity_parameters(2) * 1.1, (1.0, 2.0)), spline, "Add")
    state = RegistrationState(1, chain, torch.Generator().get_state())
    again = RegistrationState.restored(_through_a_file(state.saved())).current
    points = GRID.world_points()
    assert torch.equal(again.map_points(points), chain.map_points(points))
    assert isinstance(again, CompositeTransform)
    assert again.current.recursive  # type: ignore[attr-defined]


def test_only_what_is_listed_is_saved_and_made_again() -> None:
    with pytest.raises(TypeError, match="can't hold a Generator"):
        encode((1, torch.Generator()))
    with pytest.raises(KeyError):
        decode({"kind": "Popen", "fields": {"args": "true"}}, CPU)
    value = {"a": (1, [2.5, None]), "b": "x", "c": torch.eye(2)[0]}
    again = decode(encode(value), CPU)
    assert again["a"] == value["a"]
    assert torch.equal(again["c"], value["c"])
    assert encode(torch.zeros(1000)[:2]).untyped_storage().nbytes() == 8, "a view does not take its whole along"
