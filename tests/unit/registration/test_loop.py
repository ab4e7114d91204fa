"""The loop: how optimisers end it, and what a line search is measured with."""

import math

import pytest
import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.metrics.base import AbstractMetric, MetricValue
from elastix_impact.optimizers.adam import Adam, AdamSettings
from elastix_impact.optimizers.lbfgs import Lbfgs, LbfgsSettings
from elastix_impact.optimizers.regular_step import RegularStepGradientDescent, RegularStepSettings
from elastix_impact.registration.advance import Advance, LoopSettings
from elastix_impact.registration.loop import run_loop
from elastix_impact.registration.result import IterationRecord, StopReason
from elastix_impact.registration.state import LoopState
from elastix_impact.registration.stepping import AnyOptimizer
from elastix_impact.samplers.random import RandomCoordinateSampler
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.translation import TranslationTransform

FIRST_LOST = 7
"""From this iteration on the bowl stands on another number."""

GRID = Grid.axis_aligned((8, 8), (1.0, 1.0), (-3.5, -3.5))


class Bowl(AbstractMetric):
    """|translation - goal|^2, stretched by the samples' mean and by a number drawn at each evaluation."""

    def __init__(
        self, generator: torch.Generator, *, valid_fraction: float = 1.0, noise: float = 0.0, added: float = 0.0
    ) -> None:
        self.generator, self.valid_fraction, self.noise, self.added = generator, valid_fraction, noise, added
        self.seen: list[tuple[int, Tensor, float]] = []
        self.iteration = -1

    def begin_iteration(self, iteration: int, transform: AbstractTransform) -> "Bowl":
        del transform
        self.iteration = iteration
        return self

    def evaluate(self, transform: AbstractTransform, world_points: Tensor) -> MetricValue:
        drawn = float(torch.rand((), generator=self.generator))
        self.seen.append((self.iteration, world_points, drawn))
        goal = torch.tensor([1.0, -2.0]) + self.noise * (world_points.mean(0) + drawn)
        stretch = torch.tensor([1.0, 5.0])
        value = (
            (stretch * (transform.parameters - goal) ** 2).sum()
            + 1.0
            + (self.added if self.iteration >= FIRST_LOST else 0.0)
        )
        return MetricValue(value, torch.tensor(self.valid_fraction), {})


def run(
    optimizer: AnyOptimizer, *, iterations: int = 50, anew: bool = False, noise: float = 0.0, valid: float = 1.0,
    attempts: int = 0, features_change: bool = False, added: float = 0.0,
) -> tuple[LoopState, Bowl, list[IterationRecord]]:  # fmt: skip
    generator = torch.Generator().manual_seed(3)
    metric, reported = Bowl(generator, valid_fraction=valid, noise=noise, added=added), []
    settings = LoopSettings(
        iterations=iterations, new_samples_every_iteration=anew, required_ratio_of_valid_samples=0.25,
        maximum_number_of_sampling_attempts=attempts, keep_parameters=True, features_change=features_change,
    )  # fmt: skip
    advance = Advance(
        metric, TranslationTransform(torch.tensor([5.0, 3.0])), RandomCoordinateSampler(GRID, None, 20, "cpu"),
        optimizer, settings, generator,
    )  # fmt: skip
    result = run_loop(advance, advance.begin(), settings, lambda rows: bool(reported.extend(rows)), lambda _: None)
    return result, metric, reported


def regular_steps(shortest: float) -> RegularStepGradientDescent:
    return RegularStepGradientDescent(RegularStepSettings(maximum_step_length=4.0, minimum_step_length=shortest))


def test_a_converged_optimiser_ends_the_level_in_the_middle_of_a_block() -> None:
    result, metric, reported = run(regular_steps(1e-3))
    assert result.stop_reason is StopReason.STEP_TOO_SMALL
    assert list(result.rows) == reported
    assert [row.iteration for row in result.rows] == list(range(len(result.rows)))
    assert len(result.rows) % 10, "the case must stop within a block"
    assert len(result.rows) < len(metric.seen) < 50
    assert torch.equal(result.rows[-1].parameters.float(), result.parameters)
    assert result.last is not None
    assert result.last.iteration == len(result.rows)
    assert result.last.metric == pytest.approx(Bowl(torch.Generator()).evaluate(
        TranslationTransform(result.parameters), torch.zeros(1, 2)).value.item())  # fmt: skip


def test_an_optimiser_that_goes_on_ends_with_its_iterations() -> None:
    result, *_ = run(regular_steps(1e-3), iterations=4)
    assert result.stop_reason is StopReason.MAXIMUM_ITERATIONS
    assert len(result.rows) == 4
    assert result.last == result.rows[-1]


@pytest.mark.parametrize("optimizer", [regular_steps(1e-3), Adam(AdamSettings(learning_rate=0.1, iterations=30))])
def test_too_few_samples_are_no_convergence(optimizer: AnyOptimizer) -> None:
    result, *_ = run(optimizer, valid=0.1)
    assert result.stop_reason is StopReason.TOO_FEW_SAMPLES
    assert result.parameters.tolist() == [5.0, 3.0]


@pytest.mark.parametrize("added", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("optimizer", [Adam(AdamSettings(learning_rate=0.1, iterations=30)), Lbfgs(LbfgsSettings())])
def test_a_value_that_is_no_number_ends_the_level_though_its_gradient_is_one(
    optimizer: AnyOptimizer, added: float
) -> None:
    result, *_ = run(optimizer, added=added, anew=True, noise=0.3)
    assert result.stop_reason is StopReason.NON_FINITE_VALUE
    finite = [math.isfinite(row.metric) for row in result.rows]
    assert finite[: FIRST_LOST + 1] == [True] * FIRST_LOST + [False], "its row is in the table, and says so"


@pytest.mark.parametrize("attempts", [0, 3])
def test_a_line_search_needs_enough_samples(attempts: int) -> None:
    result, metric, _ = run(Lbfgs(LbfgsSettings()), valid=0.1, anew=True, attempts=attempts)
    assert result.stop_reason is StopReason.TOO_FEW_SAMPLES
    assert result.parameters.tolist() == [5.0, 3.0]
    assert len(result.rows) == len(metric.seen) == attempts + 1
    assert all(row.search is None for row in result.rows)


def test_a_line_search_finds_the_minimum_and_says_how() -> None:
    result, metric, _ = run(Lbfgs(LbfgsSettings(gradient_magnitude_tolerance=1e-3)))
    assert result.stop_reason is StopReason.GRADIENT_VANISHED
    torch.testing.assert_close(result.parameters, torch.tensor([1.0, -2.0]), atol=1e-3, rtol=0)
    trials = [row.search.search.trials for row in result.rows if row.search is not None]
    assert len(trials) == len(result.rows)
    assert len(metric.seen) == 1 + sum(trials), "where one line ends and the next begins is measured once"
    assert result.last is not None
    assert result.last.metric == pytest.approx(1.0)
    assert result.rows[0].step_size == result.rows[0].search.search.best.step  # type: ignore[union-attr]


def test_where_values_differ_by_rounding_alone_the_step_vanishes() -> None:
    """The bowl stands on 1, so that float32 sees no decrease below 1e-7."""
    result, *_ = run(Lbfgs(LbfgsSettings(gradient_magnitude_tolerance=0.0)))
    assert result.stop_reason is StopReason.STEP_VANISHED
    assert result.rows[-1].step_size == 0
    torch.testing.assert_close(result.parameters, torch.tensor([1.0, -2.0]), atol=1e-3, rtol=0)


def test_along_a_line_the_metric_draws_the_same_and_sees_the_same_samples() -> None:
    result, metric, _ = run(Lbfgs(LbfgsSettings()), anew=True, noise=0.3, iterations=6)
    assert math.isfinite(result.rows[-1].metric)
    by_iteration: dict[int, set[tuple[float, float]]] = {}
    for iteration, world_points, drawn in metric.seen:
        by_iteration.setdefault(iteration, set()).add((float(world_points.sum()), drawn))
    assert all(len(seen) == 1 for seen in by_iteration.values())
    assert len(set.union(*by_iteration.values())) == len(by_iteration) == 6, "and others along the next one"


def test_kept_samples_keep_what_the_metric_draws() -> None:
    _, metric, _ = run(Lbfgs(LbfgsSettings()), noise=0.3, iterations=6)
    assert len({drawn for *_, drawn in metric.seen}) == 1


def test_features_that_change_are_measured_again() -> None:
    _, kept, _ = run(Lbfgs(LbfgsSettings()), iterations=3)
    _, changed, _ = run(Lbfgs(LbfgsSettings()), iterations=3, features_change=True)
    assert len(changed.seen) == len(kept.seen) + 2
