"""Every metric on images, penalty and sum keeps the contract; IMPACT's own tests are in tests/unit/metrics."""

import importlib
import pkgutil

import pytest
import torch

import elastix_impact.metrics as room
from elastix_impact.geometry.image import Image
from elastix_impact.metrics.base import AbstractMetric, MetricValue
from elastix_impact.metrics.bending import BendingEnergy
from elastix_impact.metrics.combine import CombinedMetric, MetricTerm
from elastix_impact.metrics.correlation import NormalizedCorrelation
from elastix_impact.metrics.displacement import DisplacementMagnitude
from elastix_impact.metrics.folding import FoldingPenalty
from elastix_impact.metrics.histogram import HistogramSettings
from elastix_impact.metrics.joint_histogram import Criterion, JointHistogramMetric
from elastix_impact.metrics.landmarks import LandmarkDistance
from elastix_impact.metrics.lattice_bending import LatticeBendingEnergy
from elastix_impact.metrics.local_correlation import LocalNormalizedCorrelation
from elastix_impact.metrics.mean_squares import MeanSquares
from elastix_impact.metrics.mutual_information import minus_mutual_information, minus_normalized_mutual_information
from elastix_impact.transforms.base import AbstractTransform
from metric_contract import GRIDS, MetricContract, image, random, sample_points, transforms

BINS = HistogramSettings(fixed_bins=12, moving_bins=14)


class TestMeanSquares(MetricContract):
    def make(self, dimension: int, moving_mask: Image | None, dtype: torch.dtype = torch.float64) -> AbstractMetric:
        return MeanSquares(image(dimension, 1, dtype), image(dimension, 2, dtype), moving_mask, moving_order=3)


class TestNormalizedMeanSquares(MetricContract):
    def make(self, dimension: int, moving_mask: Image | None, dtype: torch.dtype = torch.float64) -> AbstractMetric:
        fixed, moving = image(dimension, 1, dtype), image(dimension, 2, dtype)
        return MeanSquares(fixed, moving, moving_mask, use_normalization=True, moving_order=2, fixed_order=0)


class TestNormalizedCorrelation(MetricContract):
    def make(self, dimension: int, moving_mask: Image | None, dtype: torch.dtype = torch.float64) -> AbstractMetric:
        fixed, moving = image(dimension, 1, dtype), image(dimension, 2, dtype)
        return NormalizedCorrelation(fixed, moving, moving_mask, moving_order=3, fixed_order=3)


class TestLocalNormalizedCorrelation(MetricContract):
    """It compares on a lattice of its own."""

    reads_samples = False

    def make(self, dimension: int, moving_mask: Image | None, dtype: torch.dtype = torch.float64) -> AbstractMetric:
        return LocalNormalizedCorrelation(
            image(dimension, 1, dtype), image(dimension, 2, dtype), moving_mask, sampling_mask=None,
            start=transforms(dimension)["spline"], voxel_size=0.0, radius=1, moving_order=3,
        )  # fmt: skip


def of_histogram(
    criterion: Criterion, dimension: int, moving_mask: Image | None, dtype: torch.dtype
) -> JointHistogramMetric:
    return JointHistogramMetric(
        image(dimension, 1, dtype), image(dimension, 2, dtype), moving_mask,
        fixed_mask=None, criterion=criterion, settings=BINS, moving_order=3,
    )  # fmt: skip


class TestMattes(MetricContract):
    def make(self, dimension: int, moving_mask: Image | None, dtype: torch.dtype = torch.float64) -> AbstractMetric:
        return of_histogram(minus_mutual_information, dimension, moving_mask, dtype)


class TestNormalizedMutualInformation(MetricContract):
    def make(self, dimension: int, moving_mask: Image | None, dtype: torch.dtype = torch.float64) -> AbstractMetric:
        return of_histogram(minus_normalized_mutual_information, dimension, moving_mask, dtype)


class TestBendingEnergy(MetricContract):
    def make(self, dimension: int, moving_mask: Image | None, dtype: torch.dtype = torch.float64) -> AbstractMetric:
        return BendingEnergy(moving_mask)


class TestDisplacementMagnitude(MetricContract):
    def make(self, dimension: int, moving_mask: Image | None, dtype: torch.dtype = torch.float64) -> AbstractMetric:
        return DisplacementMagnitude(moving_mask)


class NodeContract(MetricContract):
    """Of metrics that look at control points: the optimised transform must have some."""

    reads_samples = False

    @pytest.fixture(params=["spline", "composed", "added"])
    def transform(self, request: pytest.FixtureRequest, dimension: int) -> AbstractTransform:
        return transforms(dimension)[request.param]


class TestLatticeBendingEnergy(NodeContract):
    def make(self, dimension: int, moving_mask: Image | None, dtype: torch.dtype = torch.float64) -> AbstractMetric:
        return LatticeBendingEnergy(transforms(dimension)["spline"])


class TestFoldingPenalty(NodeContract):
    def make(self, dimension: int, moving_mask: Image | None, dtype: torch.dtype = torch.float64) -> AbstractMetric:
        return FoldingPenalty(transforms(dimension)["spline"], 1.5)


class TestLandmarkDistance(MetricContract):
    reads_samples = False

    def make(self, dimension: int, moving_mask: Image | None, dtype: torch.dtype = torch.float64) -> AbstractMetric:
        fixed = sample_points(dimension, 9)
        moving = fixed + random(9 * dimension, 5.0, 4).view(9, dimension)
        return LandmarkDistance(moving_mask, fixed_landmarks=fixed.to(dtype), moving_landmarks=moving.to(dtype))


WEIGHTS = (0.5, 1.5, 2.5)


class Sum(MetricContract):
    relative: bool

    def make(self, dimension: int, moving_mask: Image | None, dtype: torch.dtype = torch.float64) -> AbstractMetric:
        parts: list[tuple[MetricContract, slice | None]] = [
            (TestMattes(), None),
            (TestDisplacementMagnitude(), None),
            (TestLandmarkDistance(), slice(0, 0)),
        ]
        terms = [
            MetricTerm(str(i), part.make(dimension, moving_mask, dtype), WEIGHTS[i], rows)
            for i, (part, rows) in enumerate(parts)
        ]
        return CombinedMetric(terms, use_relative_weights=self.relative)


class TestSum(Sum):
    relative = False


class TestRelativeSum(Sum):
    relative = True

    def comparable(self, measured: MetricValue, here: MetricValue) -> torch.Tensor:
        """The sum with the weights that hold `here`: they depend on the gradients, but count as constants."""
        norms = [here.parts[f"{i} gradient"] for i in range(3)]
        return sum(WEIGHTS[i] * norms[0] / norms[i] * measured.parts[str(i)] for i in range(3))


def subclasses(kind: type) -> set[type]:
    return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))


def test_every_metric_keeps_the_contract() -> None:
    for module in pkgutil.iter_modules(room.__path__):
        importlib.import_module(f"elastix_impact.metrics.{module.name}")
    everything = subclasses(AbstractMetric) - {AbstractMetric}
    ours = {kind for kind in everything if kind.__module__.startswith("elastix_impact.metrics.")}
    classic = {kind for kind in ours if not kind.__module__.startswith("elastix_impact.metrics.impact.")}
    contracts = [kind for kind in subclasses(MetricContract) if kind.__name__.startswith("Test")]
    assert {type(kind().make(3, None)) for kind in contracts} == classic
    assert set(GRIDS) == {2, 3}
