"""An iteration never makes a GPU wait for the host: no number is read, nothing is selected by a condition."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.metrics.base import AbstractMetric
from elastix_impact.metrics.combine import CombinedMetric, MetricTerm
from elastix_impact.metrics.displacement import DisplacementMagnitude
from elastix_impact.metrics.histogram import HistogramSettings
from elastix_impact.metrics.impact.features import ModelInput
from elastix_impact.metrics.impact.inputs import ImpactInputs
from elastix_impact.metrics.impact.jacobian import JacobianImpact
from elastix_impact.metrics.impact.layers import LayerComparison
from elastix_impact.metrics.impact.static import StaticImpact
from elastix_impact.metrics.joint_histogram import JointHistogramMetric
from elastix_impact.metrics.mutual_information import minus_mutual_information
from elastix_impact.optimizers.adam import Adam, AdamSettings
from elastix_impact.optimizers.asgd import AdaptiveStochasticGradientDescent, AsgdSettings
from elastix_impact.optimizers.base import AbstractOptimizer
from elastix_impact.optimizers.gradient_descent import GradientDescentSettings, StandardGradientDescent
from elastix_impact.optimizers.regular_step import RegularStepGradientDescent, RegularStepSettings
from elastix_impact.registration import loop
from elastix_impact.registration.advance import Advance, LoopSettings
from elastix_impact.samplers.base import AbstractSampler
from elastix_impact.samplers.joint import JointSampler
from elastix_impact.samplers.random import RandomCoordinateSampler, RandomSampler
from elastix_impact.samplers.region import RandomRegionSampler
from elastix_impact.transforms.affine import AffineTransform, identity_parameters
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.transforms.euler import EulerTransform
from elastix_impact.transforms.euler import identity_parameters as euler_identity
from elastix_impact.zoo.load import load_model
from no_synchronisation import HostSynchronisationError, no_host_synchronisation

GRID = Grid.axis_aligned((16, 15, 14), (2.0, 2.0, 2.0), (-15.0, -14.0, -13.0))
LATTICE = Grid.axis_aligned((7, 7, 7), (10.0, 10.0, 10.0), (-30.0, -30.0, -30.0))
MASK = torch.ones(GRID.shape, dtype=torch.bool)


class Convolution(torch.nn.Module):
    def __init__(self, dimension: int) -> None:
        super().__init__()
        convolution = torch.nn.Conv3d if dimension == 3 else torch.nn.Conv2d
        self.net = torch.nn.Sequential(convolution(1, 4, 3, 1, 1), torch.nn.Softplus())

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [self.net(x)]


def _image(seed: int) -> Image:
    return Image(torch.rand(GRID.shape, generator=torch.Generator().manual_seed(seed)), GRID)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    folder = tmp_path_factory.mktemp("models")
    for dimension in (2, 3):
        torch.jit.script(Convolution(dimension)).save(str(folder / f"{dimension}.pt"))
    return {dimension: load_model(folder / f"{dimension}.pt") for dimension in (2, 3)}


def _inputs(model: ModelInput, image_order: int, distance: str = "L2") -> ImpactInputs:
    return ImpactInputs(
        fixed=_image(0), moving=_image(1), moving_mask=Image(MASK, GRID), fixed_models=[model], moving_models=[model],
        layers=[LayerComparison(distance, 1.0, 2, 0)], image_order=image_order, generator=torch.Generator(),
    )  # fmt: skip


def _static(models: dict[int, Any], distance: str = "L2") -> AbstractMetric:
    model = ModelInput(models[3], 3, 1, (0, 0, 0), (2.0, 2.0, 2.0), (True,))
    return StaticImpact(
        _inputs(model, 3, distance), start=AFFINE, feature_order=3, update_interval=-1, level=0, sink=None
    )


def _jacobian(dimension: int, gradient: Any) -> Callable[[dict[int, Any]], AbstractMetric]:
    def make(models: dict[int, Any]) -> AbstractMetric:
        model = ModelInput(models[dimension], dimension, 1, (3,) * dimension, (2.0,) * dimension, (True,))
        return JacobianImpact(_inputs(model, 1), gradient=gradient)

    return make


def _sum(models: dict[int, Any]) -> AbstractMetric:
    """IMPACT beside mutual information and a penalty, with weights that follow the gradients."""
    pair = _image(0), _image(1), Image(MASK, GRID)
    information = JointHistogramMetric(
        *pair, fixed_mask=Image(MASK, GRID), criterion=minus_mutual_information, settings=HistogramSettings()
    )
    terms = [
        MetricTerm("Metric0", _static(models), 1.0),
        MetricTerm("Metric1", information, 0.5),
        MetricTerm("Metric2", DisplacementMagnitude(Image(MASK, GRID)), 0.1),
    ]
    return CombinedMetric(terms, use_relative_weights=True)


METRICS: dict[str, Callable[[dict[int, Any]], AbstractMetric]] = {
    "static": _static,
    "static information": partial(_static, distance="GaussianMI"),
    "jacobian exact": _jacobian(3, "Exact"),
    "jacobian centre": _jacobian(3, "Center"),
    "jacobian planes": _jacobian(2, "Exact"),
    "sum": _sum,
}
SPLINE = BSplineTransform(torch.zeros(3 * LATTICE.number_of_voxels), LATTICE)
AFFINE = AffineTransform(identity_parameters(3).float(), (0.0, 0.0, 0.0))
TRANSFORMS: dict[str, AbstractTransform] = {
    "spline": SPLINE,
    "affine": AFFINE,
    "euler": EulerTransform(euler_identity(3).float(), (0.0, 0.0, 0.0)),
    "chain": CompositeTransform(AFFINE, SPLINE),
}
SAMPLERS: dict[str, AbstractSampler] = {
    "random": RandomSampler(GRID, MASK, 50, "cpu"),
    "coordinate": RandomCoordinateSampler(GRID, MASK, 50, "cpu"),
    "region": RandomRegionSampler(GRID, MASK, 50, "cpu"),
    "joint": JointSampler([RandomSampler(GRID, MASK, 20, "cpu"), RandomCoordinateSampler(GRID, MASK, 30, "cpu")]),
}
OPTIMIZERS: dict[str, AbstractOptimizer[Any]] = {
    "asgd": AdaptiveStochasticGradientDescent(AsgdSettings(a=10.0)),
    "descent": StandardGradientDescent(GradientDescentSettings(a=10.0, A=20.0, alpha=0.6)),
    "regular steps": RegularStepGradientDescent(
        RegularStepSettings(maximum_step_length=1.0, minimum_step_length=0.1), torch.full_like(SPLINE.parameters, 2.0)
    ),
    "adam": Adam(AdamSettings(learning_rate=0.1, iterations=10)),
}


def _run(metric: AbstractMetric, transform: AbstractTransform, sampler: AbstractSampler, optimizer: Any) -> None:
    settings = LoopSettings(
        iterations=3, new_samples_every_iteration=True, required_ratio_of_valid_samples=0.25,
        maximum_number_of_sampling_attempts=3, keep_parameters=False,
    )  # fmt: skip
    advance = Advance(metric, transform, sampler, optimizer, settings, torch.Generator())
    loop.run_loop(advance, advance.begin(), settings, lambda _: False, lambda _: None)


@pytest.fixture
def table_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the finished block of rows is the one wait that is meant."""
    monkeypatch.setattr(loop, "_fetched", lambda _unread, _first: ([], []))


def _guarded(metric: AbstractMetric, transform: str = "spline", sampler: str = "coordinate", by: str = "asgd") -> None:
    parts = TRANSFORMS[transform], SAMPLERS[sampler], OPTIMIZERS[by]
    _run(metric, *parts)  # tables of constants are made the first time
    with no_host_synchronisation():
        _run(metric, *parts)


@pytest.mark.usefixtures("table_not_read")
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_no_metric_and_no_transform_waits(models, metric: str, transform: str) -> None:
    _guarded(METRICS[metric](models), transform=transform)


@pytest.mark.usefixtures("table_not_read")
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_sampler_and_no_optimiser_waits(models, sampler: str, optimizer: str) -> None:
    _guarded(_static(models), sampler=sampler, by=optimizer)


@pytest.mark.parametrize(
    "waiting",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.sum() > 0),
        lambda x: x[x > 0],
        lambda x: x.cpu(),
        lambda x: x.tolist(),
        lambda x: torch.nonzero(x),
        lambda x: float(x[0]),
    ],
)
def test_the_guard_sees_what_waits(waiting: Callable[[torch.Tensor], object]) -> None:
    with no_host_synchronisation(), pytest.raises(HostSynchronisationError):
        waiting(torch.arange(3.0))
