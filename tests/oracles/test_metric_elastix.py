"""Metrics' values and derivatives against those that elastix itself has at the same points: see `elastix_steps`."""

from pathlib import Path

import pytest
import torch
from metric_cases import (
    Case,
    Pair,
    assert_derivatives_agree,
    assert_values_agree,
    check,
    make_pair,
    ours,
    run,
)

from elastix_impact.geometry.kernels import kernel_taps
from elastix_impact.io.images import read_image
from elastix_impact.metrics.correlation import NormalizedCorrelation
from elastix_impact.metrics.histogram import HistogramSettings
from elastix_impact.metrics.joint_histogram import Criterion, JointHistogramMetric
from elastix_impact.metrics.mean_squares import MeanSquares
from elastix_impact.metrics.mutual_information import minus_mutual_information, minus_normalized_mutual_information


def histogram_case(criterion: Criterion, name: str, **settings: float) -> Case:
    keys = {
        "fixed_bins": "NumberOfFixedHistogramBins",
        "moving_bins": "NumberOfMovingHistogramBins",
        "fixed_kernel_order": "FixedKernelBSplineOrder",
        "moving_kernel_order": "MovingKernelBSplineOrder",
        "fixed_limit_range_ratio": "FixedLimitRangeRatio",
        "moving_limit_range_ratio": "MovingLimitRangeRatio",
    }
    return Case(
        lambda fixed, moving, fixed_mask, moving_mask: JointHistogramMetric(
            fixed,
            moving,
            moving_mask,
            fixed_mask=fixed_mask,
            criterion=criterion,
            settings=HistogramSettings(**settings),
        ),
        {"Metric": [name]} | {keys[key]: [value] for key, value in settings.items()},
    )


MATTES, NMI = "AdvancedMattesMutualInformation", "NormalizedMutualInformation"
CASES = {
    "mean squares": Case(lambda f, m, _, mask: MeanSquares(f, m, mask), {"Metric": ["AdvancedMeanSquares"]}),
    "correlation": Case(
        lambda f, m, _, mask: NormalizedCorrelation(f, m, mask), {"Metric": ["AdvancedNormalizedCorrelation"]}
    ),
    "mattes": histogram_case(minus_mutual_information, MATTES),
    "normalized mutual information": histogram_case(
        minus_normalized_mutual_information, NMI, fixed_bins=20, moving_bins=24
    ),
}
VARIANTS = {
    "normalized mean squares": Case(
        lambda f, m, fixed_mask, mask: MeanSquares(f, m, mask, fixed_mask=fixed_mask, use_normalization=True),
        {"Metric": ["AdvancedMeanSquares"], "UseNormalization": ["true"]},
    ),
    "mattes other bins": histogram_case(minus_mutual_information, MATTES, fixed_bins=17, moving_bins=40),
    "mattes smooth windows": histogram_case(minus_mutual_information, MATTES, fixed_kernel_order=3),
    "mattes linear fixed windows": histogram_case(minus_mutual_information, MATTES, fixed_kernel_order=1),
    "mattes wide margins": histogram_case(
        minus_mutual_information, MATTES, fixed_limit_range_ratio=0.1, moving_limit_range_ratio=0.2
    ),
    "mattes without margins": histogram_case(
        minus_mutual_information, MATTES, fixed_limit_range_ratio=0.0, moving_limit_range_ratio=0.0
    ),
    "cubic interpolation": Case(
        lambda f, m, _, mask: MeanSquares(f, m, mask, moving_order=3),
        {"Metric": ["AdvancedMeanSquares"], "BSplineInterpolationOrder": [3]},
    ),
    "mattes cubic interpolation": Case(
        lambda f, m, fixed_mask, mask: JointHistogramMetric(
            f,
            m,
            mask,
            fixed_mask=fixed_mask,
            criterion=minus_mutual_information,
            settings=HistogramSettings(),
            moving_order=3,
        ),
        {"Metric": [MATTES], "BSplineInterpolationOrder": [3]},
    ),
    "linear interpolator": Case(
        lambda f, m, _, mask: NormalizedCorrelation(f, m, mask),
        {"Metric": ["AdvancedNormalizedCorrelation"], "Interpolator": ["LinearInterpolator"]},
    ),
}


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("kind", ["BSpline", "Affine", "Euler"])
@pytest.mark.parametrize("dimension", [2, 3], ids=["2-D", "3-D"])
@pytest.mark.parametrize("name", list(CASES))
def test_value_and_derivative_are_those_of_elastix(name: str, dimension: int, kind: str, masked: bool, tmp_path: Path):
    check(CASES[name], make_pair(dimension, masked=masked), kind, tmp_path)


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("name", list(VARIANTS))
def test_options_mean_the_same(name: str, masked: bool, tmp_path: Path):
    check(VARIANTS[name], make_pair(2, masked=masked), "BSpline", tmp_path)


def elastix_slopes(index_points: torch.Tensor, order: int, *, derivatives: bool) -> tuple[torch.Tensor, ...]:
    """Windows whose derivatives are those of elastix for orders 1 and 2: see the test below."""
    start, weights, slopes = kernel_taps(index_points, order, derivatives=derivatives)
    u = (start - index_points).unsqueeze(2)  # from the sample to the first bin, negative
    if order == 1:
        slopes = -slopes
    if order == 2:
        slopes = -torch.cat([u - 1.5, -2 * u + 2, u - 0.5], dim=2)
    return start, weights, slopes


@pytest.mark.parametrize("order", [1, 2])
def test_the_derivative_of_low_order_windows_is_explained_by_a_slip_of_elastix(
    order: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its derivative kernels of orders 1 and 2 take u where |u| is meant; values agree, ours is their derivative."""
    case, pair = histogram_case(minus_mutual_information, MATTES, moving_kernel_order=order), make_pair(2, masked=False)
    steps = run(case, pair, "BSpline", tmp_path)
    exact = [ours(case, pair, step.transform) for step in steps]
    for step, (measured, gradient) in zip(steps, exact):
        assert_values_agree(step, measured)
        assert torch.cosine_similarity(gradient, step.derivative, dim=0).item() < 0.5
    monkeypatch.setattr("elastix_impact.metrics.histogram.kernel_taps", elastix_slopes)
    for step in steps:
        assert_derivatives_agree(step, ours(case, pair, step.transform)[1])


@pytest.mark.shared
@pytest.mark.parametrize("name", list(CASES))
def test_on_a_lung_ct(name: str, shared: Path, tmp_path: Path):
    """Whole numbers, some on the edge between two bins: rounding decides where these fall."""
    fixed, moving = (read_image(shared / "golden" / "inputs" / f"ct_{role}.mha") for role in ("fixed", "moving"))
    check(CASES[name], Pair(fixed, moving), "BSpline", tmp_path, tolerance=1e-3)
