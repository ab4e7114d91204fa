"""Penalties, landmarks and sums of metrics against elastix. Penalties alone would not leave their minimum."""

from pathlib import Path

import pytest
import torch
from elastix_steps import Step, elastix_steps
from metric_cases import (
    GRIDS,
    SPACING_MM,
    Case,
    Pair,
    assert_derivatives_agree,
    assert_values_agree,
    gain_for,
    make_pair,
    ours,
    run,
    start_transform,
)

from elastix_impact.geometry.image import Image
from elastix_impact.io.transform_file import read_transform_file
from elastix_impact.metrics.base import MetricValue
from elastix_impact.metrics.bending import BendingEnergy
from elastix_impact.metrics.combine import CombinedMetric, MetricTerm
from elastix_impact.metrics.displacement import DisplacementMagnitude
from elastix_impact.metrics.histogram import HistogramSettings
from elastix_impact.metrics.joint_histogram import JointHistogramMetric
from elastix_impact.metrics.landmarks import LandmarkDistance
from elastix_impact.metrics.mean_squares import MeanSquares
from elastix_impact.metrics.mutual_information import minus_mutual_information
from elastix_impact.transforms.bspline import BSplineTransform, identity_parameters
from elastix_impact.transforms.composite import Combination, CompositeTransform
from elastix_impact.transforms.lattice import required_lattice

BENDING_WEIGHT = 3e7
"""Makes the bending energy, some 1e-5 mm^-2 here, a good part of a sum with mean squares: values have six decimals."""

MASKED = pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
DIMENSION = pytest.mark.parametrize("dimension", [2, 3], ids=["2-D", "3-D"])

METRICS = {
    "AdvancedMeanSquares": lambda f, m, _, mask: MeanSquares(f, m, mask),
    "AdvancedMattesMutualInformation": lambda f, m, fixed_mask, mask: JointHistogramMetric(
        f, m, mask, fixed_mask=fixed_mask, criterion=minus_mutual_information, settings=HistogramSettings()
    ),
    "TransformBendingEnergyPenalty": lambda *images: BendingEnergy(images[3]),
    "DisplacementMagnitudePenalty": lambda *images: DisplacementMagnitude(images[3]),
}


def sum_case(weights: dict[str, float], *, relative: bool = False) -> Case:
    """The weighted sum of metrics by elastix's names."""

    def make(*images: Image | None) -> CombinedMetric:
        terms = [
            MetricTerm(f"Metric{i}", METRICS[name](*images), weight) for i, (name, weight) in enumerate(weights.items())
        ]
        return CombinedMetric(terms, use_relative_weights=relative)

    key = "RelativeWeight" if relative else "Weight"
    entries: dict[str, list[object]] = {
        "Registration": ["MultiMetricMultiResolutionRegistration"],
        "Metric": list(weights),
        "UseRelativeWeights": [str(relative).lower()],
    }
    return Case(make, entries | {f"Metric{i}{key}": [w] for i, w in enumerate(weights.values())})


def assert_columns_agree(step: Step, measured: MetricValue, count: int) -> None:
    for i in range(count):
        value = float(measured.parts[f"Metric{i}"])
        assert value == pytest.approx(step.table[f"2:Metric{i}"], rel=1e-5, abs=1e-6)
        if f"Metric{i} gradient" in measured.parts:
            norm = float(measured.parts[f"Metric{i} gradient"])
            assert norm == pytest.approx(step.table[f"4:||Gradient{i}||"], rel=1e-4, abs=1e-6)


def check_sum(case: Case, pair: Pair, kind: str, folder: Path, count: int = 2) -> list[Step]:
    steps = run(case, pair, kind, folder)
    for step in steps:
        measured, gradient = ours(case, pair, step.transform)
        assert_values_agree(step, measured)
        assert_derivatives_agree(step, gradient)
        assert_columns_agree(step, measured, count)
    return steps


@MASKED
@DIMENSION
def test_bending_energy(dimension: int, masked: bool, tmp_path: Path):
    case = sum_case({"AdvancedMeanSquares": 0.5, "TransformBendingEnergyPenalty": BENDING_WEIGHT})
    steps = check_sum(case, make_pair(dimension, masked=masked), "BSpline", tmp_path)
    assert BENDING_WEIGHT * steps[1].table["2:Metric1"] > 0.2 * steps[1].value


@MASKED
@DIMENSION
@pytest.mark.parametrize("kind", ["BSpline", "Affine", "Euler"])
def test_displacement_magnitude(kind: str, dimension: int, masked: bool, tmp_path: Path):
    case = sum_case({"AdvancedMeanSquares": 0.5, "DisplacementMagnitudePenalty": 1e3})
    check_sum(case, make_pair(dimension, masked=masked), kind, tmp_path)


@MASKED
@DIMENSION
def test_relative_weights(dimension: int, masked: bool, tmp_path: Path):
    weights = {
        "AdvancedMattesMutualInformation": 0.8,
        "AdvancedMeanSquares": 1.5,
        "TransformBendingEnergyPenalty": 0.1,
    }
    check_sum(sum_case(weights, relative=True), make_pair(dimension, masked=masked), "BSpline", tmp_path, 3)


def test_bending_of_a_linear_transform_costs_nothing(tmp_path: Path):
    for relative in (False, True):
        case = sum_case({"AdvancedMeanSquares": 1.0, "TransformBendingEnergyPenalty": 5.0}, relative=relative)
        folder = tmp_path / str(relative)
        folder.mkdir()
        check_sum(case, make_pair(2, masked=False), "Affine", folder)


def landmark_case(dimension: int) -> tuple[Case, dict[str, torch.Tensor]]:
    """Twelve landmarks, the first of them at its place already; and elastix's points in the world frame."""
    grid = GRIDS[dimension]
    generator = torch.Generator().manual_seed(4)
    last = torch.tensor(grid.size, dtype=torch.float64) - 1
    fixed = grid.to_world(torch.rand(12, dimension, generator=generator, dtype=torch.float64) * last)
    moving = fixed + torch.randn(12, dimension, generator=generator, dtype=torch.float64) * 4
    moving[0] = fixed[0]
    centre = torch.tensor(grid.centre, dtype=torch.float64)

    def make(f: Image, m: Image, _: Image | None, mask: Image | None) -> CombinedMetric:
        points = LandmarkDistance(
            mask, fixed_landmarks=(fixed - centre).float(), moving_landmarks=(moving - centre).float()
        )
        terms = [
            MetricTerm("Metric0", MeanSquares(f, m, mask), 1e-3),
            MetricTerm("Metric1", points, 2.0, slice(0, 0)),
        ]
        return CombinedMetric(terms, use_relative_weights=False)

    entries: dict[str, list[object]] = {
        "Registration": ["MultiMetricMultiResolutionRegistration"],
        "Metric": ["AdvancedMeanSquares", "CorrespondingPointsEuclideanDistanceMetric"],
        "Metric0Weight": [1e-3],
        "Metric1Weight": [2.0],
    }
    return Case(make, entries), {"fixed": fixed, "moving": moving}


@MASKED
@DIMENSION
@pytest.mark.parametrize("kind", ["BSpline", "Affine"])
def test_landmarks(kind: str, dimension: int, masked: bool, tmp_path: Path):
    case, points = landmark_case(dimension)
    pair = make_pair(dimension, masked=masked)
    start, entries = start_transform(kind, pair.fixed.grid)
    gain = gain_for(case, pair, start)
    steps = elastix_steps(
        tmp_path, pair.fixed, pair.moving, start,
        gain=gain, masks=pair.masks, points=points, **(entries | case.entries),
    )  # fmt: skip
    for step in steps:
        measured, gradient = ours(case, pair, step.transform)
        assert_values_agree(step, measured)
        assert_derivatives_agree(step, gradient)
        assert_columns_agree(step, measured, 2)


@DIMENSION
@pytest.mark.parametrize("combination", ["Compose", "Add"])
def test_bending_energy_on_top_of_a_deformation(combination: Combination, dimension: int, tmp_path: Path):
    """Composed: both bend. Added: only the upper one counts, as in elastix's loop."""
    pair = make_pair(dimension, masked=False)
    case = sum_case({"AdvancedMeanSquares": 0.5, "TransformBendingEnergyPenalty": BENDING_WEIGHT})
    first = tmp_path / "first"
    first.mkdir()
    run(case, pair, "BSpline", first)
    file = first / "TransformParameters.0.txt"
    initial = read_transform_file(file).transform
    lattice = required_lattice(
        pair.fixed.grid, (SPACING_MM,) * dimension, 3, initial if combination == "Compose" else None
    )
    current = BSplineTransform(identity_parameters(lattice), lattice)
    start = CompositeTransform(initial, current, combination)
    second = tmp_path / "second"
    second.mkdir()
    steps = elastix_steps(
        second, pair.fixed, pair.moving, start,
        gain=gain_for(case, pair, start), initial=file, HowToCombineTransforms=[combination],
        **(start_transform("BSpline", pair.fixed.grid)[1] | case.entries),
    )  # fmt: skip
    for step in steps:
        measured, gradient = ours(case, pair, step.transform)
        assert_values_agree(step, measured)
        assert_derivatives_agree(step, gradient)
        assert_columns_agree(step, measured, 2)
