"""Sums of metrics, samplers joined for them, penalties and landmarks by hand."""

from dataclasses import replace

import pytest
import torch

from elastix_impact.errors import InputError, LandmarkError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.metrics.base import AbstractMetric, MetricValue
from elastix_impact.metrics.bending import BendingEnergy
from elastix_impact.metrics.combine import CombinedMetric, MetricTerm
from elastix_impact.metrics.displacement import DisplacementMagnitude
from elastix_impact.metrics.landmarks import LandmarkDistance
from elastix_impact.samplers.base import AbstractSampler
from elastix_impact.samplers.fixed import FullSampler, GridSampler
from elastix_impact.samplers.joint import JointSampler
from elastix_impact.samplers.random import RandomCoordinateSampler
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.translation import TranslationTransform
from elastix_impact.typing import Points

GRID = Grid.axis_aligned((10, 9, 8), (2.0, 2.0, 2.0), (-9.0, -8.0, -7.0))
MOVED = TranslationTransform(torch.tensor([3.0, 0.0, -4.0]))


class Probe(AbstractMetric):
    """factor * |parameters|^2 / 2, and a note of everything it was asked."""

    def __init__(self, factor: float, valid: float = 1.0, *, saves_memory: bool = False) -> None:
        self.factor, self.valid, self.saves_memory = factor, valid, saves_memory
        self.points: list[torch.Tensor] = []
        self.iterations: list[int] = []

    def begin_iteration(self, iteration: int, transform: AbstractTransform) -> "Probe":
        self.iterations.append(iteration)
        return self

    def use_less_memory(self) -> bool:
        return self.saves_memory

    def evaluate(self, transform: AbstractTransform, world_points: Points) -> MetricValue:
        self.points.append(world_points)
        value = self.factor * transform.parameters.square().sum() / 2
        return MetricValue(value, torch.tensor(self.valid), {"layer": value.detach() * 10})


def evaluate(metric: AbstractMetric, transform: AbstractTransform = MOVED) -> tuple[MetricValue, torch.Tensor]:
    leaf = transform.parameters.clone().requires_grad_()
    measured = metric.evaluate(transform.with_parameters(leaf), torch.zeros(7, 3))
    (gradient,) = torch.autograd.grad(measured.value, leaf)
    return replace(measured, value=measured.value.detach()), gradient


def test_the_sum_of_metrics() -> None:
    terms = [MetricTerm("a", Probe(2.0, 0.9), 0.5), MetricTerm("b", Probe(10.0, 0.4), -3.0)]
    measured, gradient = evaluate(CombinedMetric(terms, use_relative_weights=False))
    assert float(measured.value) == pytest.approx((0.5 * 2 - 3 * 10) * 12.5)
    torch.testing.assert_close(gradient, (0.5 * 2 - 3 * 10) * MOVED.parameters)
    assert float(measured.valid_fraction) == pytest.approx(0.4)
    assert {name: float(part) for name, part in measured.parts.items()} == {
        "a": 25.0, "b": 125.0, "a layer": 250.0, "b layer": 1250.0,
    }  # fmt: skip


def test_relative_weights_make_gradients_comparable() -> None:
    """Metric i counts as if its gradient were as long as the first one's; a zero gradient has weight 1."""
    terms = [MetricTerm(n, Probe(f), w) for n, f, w in (("a", 2.0, 0.7), ("b", 10.0, 0.2), ("c", 0.0, 5.0))]
    measured, gradient = evaluate(CombinedMetric(terms, use_relative_weights=True))
    torch.testing.assert_close(gradient, (0.7 + 0.2) * 2 * MOVED.parameters)
    assert float(measured.value) == pytest.approx(0.7 * 25.0 + 0.2 * 2 / 10 * 125.0)
    norms = [float(measured.parts[f"{name} gradient"]) for name in "abc"]
    assert norms == pytest.approx([10.0, 50.0, 0.0])
    with torch.no_grad():
        again = CombinedMetric(terms, use_relative_weights=True).evaluate(MOVED, torch.zeros(7, 3))
    assert float(again.value) == pytest.approx(float(measured.value))


@pytest.mark.parametrize("relative", [False, True])
def test_each_metric_gets_its_own_samples(relative: bool) -> None:
    samplers: list[AbstractSampler] = [
        FullSampler(GRID, None, "cpu"), RandomCoordinateSampler(GRID, None, 50, "cpu"),
    ]  # fmt: skip
    joint = JointSampler(samplers)
    first, second = joint.rows
    probes = [Probe(1.0) for _ in range(5)]
    rows = [first, second, second, slice(0, 0), None]
    terms = [MetricTerm(str(i), probe, 1.0, row) for i, (probe, row) in enumerate(zip(probes, rows))]
    world_points = joint.draw(torch.Generator().manual_seed(3))
    CombinedMetric(terms, use_relative_weights=relative).evaluate(MOVED, world_points)
    expected = [samplers[0].draw(), *[samplers[1].draw(torch.Generator().manual_seed(3))] * 2]
    for probe, points in zip(probes, [*expected, torch.empty(0, 3), world_points]):
        assert torch.equal(probe.points[0], points)


def test_everything_is_passed_on() -> None:
    probes = [Probe(1.0), Probe(1.0, saves_memory=True)]
    both = CombinedMetric([MetricTerm(str(i), p, 1.0) for i, p in enumerate(probes)], use_relative_weights=False)
    both.begin_iteration(7, MOVED)
    assert [probe.iterations for probe in probes] == [[7], [7]]
    assert both.use_less_memory()
    probes[1].saves_memory = False
    assert not both.use_less_memory()


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_sums_that_make_no_sense_are_refused(names: list[str]) -> None:
    with pytest.raises(InputError, match="at least one metric"):
        CombinedMetric([MetricTerm(name, Probe(1.0), 1.0) for name in names], use_relative_weights=False)


def test_joint_sampler() -> None:
    full, grid = FullSampler(GRID, None, "cpu"), GridSampler(GRID, None, "cpu", spacing_voxels=(3, 3, 3))
    joint = JointSampler([full, grid])
    assert not joint.is_random
    assert JointSampler([full, RandomCoordinateSampler(GRID, None, 5, "cpu")]).is_random
    assert joint.number_of_samples == full.number_of_samples + grid.number_of_samples
    points = joint.draw()
    for rows, sampler in zip(joint.rows, (full, grid)):
        assert torch.equal(points[rows], sampler.draw())
    with pytest.raises(InputError, match="at least one ImageSampler"):
        JointSampler([])


def test_displacement_magnitude_by_hand() -> None:
    mask = Image((GRID.index_points()[:, 2] < 4).reshape(GRID.shape), GRID)
    measured, gradient = evaluate(DisplacementMagnitude(None))
    assert float(measured.value) == pytest.approx(25.0)
    torch.testing.assert_close(gradient, 2 * MOVED.parameters)
    inside = DisplacementMagnitude(mask).evaluate(MOVED, FullSampler(GRID, None, "cpu").draw())
    index_points = GRID.to_index(MOVED.map_points(GRID.world_points(torch.float32)))
    counted = (index_points[:, 0] < 9.5) & (index_points[:, 2] < 3.5) & (index_points >= -0.5).all(1)
    assert float(inside.valid_fraction) == pytest.approx(float(counted.float().mean()))
    assert float(inside.value) == pytest.approx(25.0)


def test_bending_energy_of_a_parabola() -> None:
    """T_x = x + a x^2 bends by 2a everywhere, and by nothing else."""
    lattice = Grid.axis_aligned((14, 14, 14), (3.0, 3.0, 3.0), (-20.0, -20.0, -20.0))
    x = lattice.world_points()[:, 0]
    parameters = torch.cat([0.05 * (x**2 - 9.0 / 3), torch.zeros(2 * len(x))]).float()
    transform = BSplineTransform(parameters, lattice)
    measured = BendingEnergy(None).evaluate(transform, FullSampler(GRID, None, "cpu").draw())
    assert float(measured.value) == pytest.approx(0.1**2, rel=1e-4)


def test_landmark_distance_by_hand() -> None:
    fixed = torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    moving = torch.stack([fixed[0] + MOVED.parameters, fixed[1]])
    measured, gradient = evaluate(LandmarkDistance(None, fixed_landmarks=fixed, moving_landmarks=moving))
    assert float(measured.value) == pytest.approx(2.5)
    torch.testing.assert_close(gradient, MOVED.parameters / 5 / 2)
    assert measured.valid_fraction == 1


@pytest.mark.parametrize(("fixed", "moving", "words"), [(3, 2, "3 fixed and 2 moving"), (0, 0, "no landmarks")])
def test_landmarks_that_do_not_correspond_are_refused(fixed: int, moving: int, words: str) -> None:
    with pytest.raises(LandmarkError, match=words):
        LandmarkDistance(None, fixed_landmarks=torch.zeros(fixed, 3), moving_landmarks=torch.zeros(moving, 3))
