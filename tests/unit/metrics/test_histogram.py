"""The joint histogram: windows, limits, both ways to add up, and criteria against textbook definitions."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elastix_impact.errors import InputError
from elastix_impact.metrics.histogram import (
    HistogramAxis,
    HistogramSettings,
    histogram_axes,
    joint_by_addition,
    joint_by_product,
)
from elastix_impact.metrics.image_pair import Samples
from elastix_impact.metrics.joint_histogram import of_joint_histogram
from elastix_impact.metrics.limiters import IntensityLimits
from elastix_impact.metrics.mutual_information import minus_mutual_information, minus_normalized_mutual_information

FIXED_RANGE, MOVING_RANGE = (-1000.0, 400.0), (0.0, 3.0)
SMALL = HistogramSettings(fixed_bins=9, moving_bins=11, fixed_kernel_order=2)


def samples(count: int = 50, weight: float | None = None) -> Samples:
    generator = torch.Generator().manual_seed(3)
    fixed, moving, weights = torch.rand(3, count, generator=generator, dtype=torch.float64)
    low, high = FIXED_RANGE
    weights = (weights > 0.3).double() if weight is None else torch.full_like(weights, weight)
    return Samples(
        low + (high - low) * fixed, MOVING_RANGE[1] * (1.2 * moving - 0.1), weights, weights.sum().clamp_min(1.0),
        weights.mean(),
    )  # fmt: skip


def b_spline(order: int, u: float) -> float:
    """The centred B-spline by its definition: truncated powers."""
    power = (lambda x: float(x >= 0)) if order == 0 else (lambda x: max(x, 0.0) ** order)
    terms = [(-1) ** j * math.comb(order + 1, j) * power(u + (order + 1) / 2 - j) for j in range(order + 2)]
    return sum(terms) / math.factorial(order)


def naive_joint(data: Samples, axes: tuple[HistogramAxis, HistogramAxis]) -> np.ndarray:
    """Eq. 6 of Mattes et al. for every bin and sample."""
    fixed, moving = axes
    joint = np.zeros((fixed.bins, moving.bins))
    values = zip(data.fixed.tolist(), data.moving.tolist(), data.weights.tolist())
    for f, m, weight in values:
        position_f = (f - fixed.low) / fixed.bin_size + fixed.order // 2
        position_m = (m - moving.low) / moving.bin_size + moving.order // 2
        for k in range(fixed.bins):
            for i in range(moving.bins):
                joint[k, i] += weight * b_spline(fixed.order, k - position_f) * b_spline(moving.order, i - position_m)
    return joint


@pytest.mark.parametrize("orders", [(0, 3), (1, 2), (3, 1), (2, 3)])
def test_both_ways_to_add_up_are_the_definition(orders: tuple[int, int]) -> None:
    shape = HistogramSettings(
        fixed_bins=9, moving_bins=11, fixed_kernel_order=orders[0], moving_kernel_order=orders[1],
        fixed_limit_range_ratio=0.2, moving_limit_range_ratio=0.2,
    )  # fmt: skip
    axes, data = histogram_axes(FIXED_RANGE, MOVING_RANGE, shape), samples()
    windows = axes[0].windows(data.fixed), axes[1].windows(data.moving)
    expected = torch.from_numpy(naive_joint(data, axes))
    for way in (joint_by_addition, joint_by_product):
        joint = way(*windows, data.weights, (9, 11))
        torch.testing.assert_close(joint, expected, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(joint.sum(), data.weights.sum())


@given(
    fixed=st.integers(8, 64), moving=st.integers(8, 64), orders=st.tuples(st.integers(0, 3), st.integers(1, 3)),
    low=st.floats(-2000, 2000), length=st.floats(0, 5000), ratio=st.floats(0, 0.5),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_every_window_of_a_limited_intensity_fits(fixed, moving, orders, low, length, ratio) -> None:
    shape = HistogramSettings(
        fixed_bins=fixed, moving_bins=moving, fixed_kernel_order=orders[0], moving_kernel_order=orders[1],
        fixed_limit_range_ratio=ratio, moving_limit_range_ratio=ratio,
    )  # fmt: skip
    intensities = torch.linspace(low - 2 * length - 1, low + 3 * length + 1, 101)
    for axis in histogram_axes((low, low + length), (low, low + length), shape):
        for limited in (axis.limits.hard(intensities), axis.limits.soft(intensities)[0]):
            windows = axis.windows(limited)
            assert windows.cells.min() >= 0
            assert windows.cells.max() < axis.bins
            torch.testing.assert_close(windows.weights.sum(1), torch.ones(101), rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(windows.spread(axis.bins).sum(1), windows.weights.sum(1))


@pytest.mark.parametrize("margin", [0.0, 5.0])
def test_limits(margin: float) -> None:
    limits = IntensityLimits(10.0, 60.0, margin)
    values = torch.tensor([-1e6, -20.0, 9.0, 10.0, 35.0, 60.0, 62.0, 90.0, 1e6], dtype=torch.float64)
    soft, slopes = limits.soft(values)
    hard = limits.hard(values)
    assert torch.equal(hard, values.clamp(10 - margin, 60 + margin))
    for value, limited, slope in zip(values.tolist(), soft.tolist(), slopes.tolist()):
        if 10 <= value <= 60:
            assert (limited, slope) == (value, 1.0)
        elif margin == 0:
            assert (limited, slope) == (min(max(value, 10.0), 60.0), 0.0)
        elif value > 60:
            assert limited == pytest.approx(65 - 5 * math.exp(-(value - 60) / 5))
            assert slope == pytest.approx(math.exp(-(value - 60) / 5), abs=1e-12)
        else:
            assert limited == pytest.approx(5 + 5 * math.exp((value - 10) / 5))
            assert slope == pytest.approx(math.exp((value - 10) / 5), abs=1e-12)


@pytest.mark.parametrize("criterion", [minus_mutual_information, minus_normalized_mutual_information])
def test_gradient_by_the_moving_intensities(criterion) -> None:
    """The one-step backward against finite differences, limiter and weights included."""
    data, axes = samples(30), histogram_axes(FIXED_RANGE, MOVING_RANGE, SMALL)
    moving = data.moving.clone().requires_grad_()

    def value(intensities: torch.Tensor) -> torch.Tensor:
        changed = Samples(data.fixed, intensities, data.weights, data.count, data.valid_fraction)
        return of_joint_histogram(changed, *axes, criterion)

    assert torch.autograd.gradcheck(value, moving, eps=1e-6, atol=1e-7)


def joint_distribution(seed: int) -> torch.Tensor:
    joint = torch.rand(6, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    joint[1, 2] = joint[3] = 0.0
    return joint / joint.sum()


def entropy(probabilities: np.ndarray) -> float:
    filled = probabilities[probabilities > 0]
    return -float((filled * np.log(filled)).sum())


@pytest.mark.parametrize("seed", [0, 1])
def test_criteria_are_made_of_entropies(seed: int) -> None:
    joint = joint_distribution(seed)
    table = joint.numpy()
    margins = entropy(table.sum(0)) + entropy(table.sum(1))
    value, _ = minus_mutual_information(joint)
    assert float(value) == pytest.approx(entropy(table) - margins, rel=1e-12)
    value, _ = minus_normalized_mutual_information(joint)
    assert float(value) == pytest.approx(-margins / entropy(table), rel=1e-12)


@pytest.mark.parametrize("criterion", [minus_mutual_information, minus_normalized_mutual_information])
def test_derivatives_of_criteria(criterion) -> None:
    """Along changes that keep the sum of every fixed bin, which are the ones that windows make."""
    joint = joint_distribution(2)
    change = torch.randn(6, 5, generator=torch.Generator().manual_seed(7), dtype=torch.float64) * (joint > 0)
    filled = (joint > 0).sum(1, keepdim=True).clamp_min(1)
    change = (change - change.sum(1, keepdim=True) / filled) * (joint > 0)
    _, derivative = criterion(joint)
    difference = criterion(joint + 1e-6 * change)[0] - criterion(joint - 1e-6 * change)[0]
    assert float(difference / 2e-6) == pytest.approx(float((derivative * change).sum()), rel=1e-6)


def test_extremes_of_criteria() -> None:
    independent = torch.outer(torch.tensor([0.2, 0.8]), torch.tensor([0.5, 0.25, 0.25])).double()
    identical = torch.diag(torch.tensor([0.5, 0.25, 0.25])).double()
    assert float(minus_mutual_information(independent)[0]) == pytest.approx(0.0, abs=1e-7)
    assert float(minus_mutual_information(identical)[0]) == pytest.approx(-1.5 * math.log(2))
    assert float(minus_normalized_mutual_information(independent)[0]) == pytest.approx(-1.0)
    assert float(minus_normalized_mutual_information(identical)[0]) == pytest.approx(-2.0)
    nothing, one_cell = torch.zeros(3, 4), torch.zeros(3, 4)
    one_cell[1, 2] = 1.0
    for joint in (nothing, one_cell):
        for criterion in (minus_mutual_information, minus_normalized_mutual_information):
            value, derivative = criterion(joint)
            assert value == 0
            assert torch.isfinite(derivative).all()


def test_defaults_are_those_of_elastix() -> None:
    assert HistogramSettings() == HistogramSettings(
        fixed_bins=32, moving_bins=32, fixed_kernel_order=0, moving_kernel_order=3,
        fixed_limit_range_ratio=0.01, moving_limit_range_ratio=0.01,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"fixed_bins": 1}, "NumberOfFixedHistogramBins"),
        ({"fixed_bins": 3}, "NumberOfFixedHistogramBins"),
        ({"moving_bins": 3}, "NumberOfMovingHistogramBins"),
        ({"fixed_kernel_order": 4}, "FixedKernelBSplineOrder"),
        ({"moving_kernel_order": 0}, "MovingKernelBSplineOrder"),
        ({"fixed_limit_range_ratio": -0.1}, "FixedLimitRangeRatio"),
        ({"moving_limit_range_ratio": math.nan}, "MovingLimitRangeRatio"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, float], name: str) -> None:
    with pytest.raises(InputError, match=name):
        HistogramSettings(**wrong)


@pytest.mark.parametrize(("order", "fewest"), [(1, 2), (2, 4), (3, 4)])
def test_a_window_and_its_padding_need_so_many_bins(order: int, fewest: int) -> None:
    bins = {"fixed_bins": fewest, "moving_bins": fewest, "moving_kernel_order": order}
    assert HistogramSettings(**bins).moving_bins == fewest
    for name in ("fixed_bins", "moving_bins"):
        with pytest.raises(InputError, match=f"{fewest - 1} bins are too few"):
            HistogramSettings(**bins | {name: fewest - 1})


def test_an_axis_and_its_windows_by_hand() -> None:
    """From 100 to 160 in 9 bins, one of them at each end for the window: 6 bins of 10 and a thousandth."""
    axis = HistogramAxis.of(IntensityLimits(100.0, 160.0, 0.0), 9, 2, 9)
    small = 1e-3 * 60 / 6
    assert axis.low == pytest.approx(100 - small)
    assert axis.bin_size == pytest.approx((60 + 2 * small) / 6)
    middles = axis.low + axis.bin_size * torch.tensor([0.0, 2.0, 6.0], dtype=torch.float64)
    windows = axis.windows(middles)
    assert windows.start.tolist() == [0, 2, 6], "their middle is bin 1, 3 and 7"
    expected = torch.tensor([1 / 8, 6 / 8, 1 / 8], dtype=torch.float64).expand(3, 3)
    torch.testing.assert_close(windows.weights, expected)
    slope = 0.5 / axis.bin_size
    torch.testing.assert_close(windows.slopes, torch.tensor([-slope, 0.0, slope], dtype=torch.float64).expand(3, 3))


def test_the_moving_axis_is_wider_by_a_part_of_a_fixed_bin() -> None:
    fixed, moving = histogram_axes((0.0, 60.0), (0.0, 50.0), HistogramSettings(
        fixed_bins=10, moving_bins=20, fixed_limit_range_ratio=0.0, moving_limit_range_ratio=0.0,
    ))  # fmt: skip
    assert fixed.low == pytest.approx(-1e-3 * 60 / 9)
    assert moving.low == pytest.approx(-1e-3 * 50 / 7)
    assert moving.bin_size == pytest.approx((50 + 2e-3 * 50 / 7) / 17)


def test_gradients_of_intensities_beyond_the_range_are_damped_as_their_values_are() -> None:
    axes = histogram_axes(FIXED_RANGE, MOVING_RANGE, SMALL)
    data = samples(weight=1.0)
    beyond = torch.linspace(3.001, 3.05, len(data.moving), dtype=torch.float64)
    leaf = beyond.clone().requires_grad_()

    def value(moving: torch.Tensor) -> torch.Tensor:
        return of_joint_histogram(replace(data, moving=moving), *axes, minus_mutual_information)

    (gradient,) = torch.autograd.grad(value(leaf), leaf)
    direction = torch.linspace(-1, 1, len(beyond), dtype=torch.float64)
    step = 1e-6
    expected = (value(beyond + step * direction) - value(beyond - step * direction)) / (2 * step)
    torch.testing.assert_close(gradient.dot(direction), expected, rtol=1e-4, atol=1e-9)


def test_a_margin_is_a_share_of_the_length_of_the_range() -> None:
    limits = IntensityLimits.of((100.0, 160.0), 0.05)
    assert limits.bounds == (97.0, 163.0)
