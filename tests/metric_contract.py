"""What every metric promises. A subclass supplies `make` and inherits the tests.

Images are float64 and the moving one is read as a cubic spline, so that finite differences are sharp.
"""

from abc import ABC, abstractmethod

import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.metrics.base import AbstractMetric, MetricValue
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform
from no_synchronisation import no_host_synchronisation

OBLIQUE = ((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 1.0))
GRIDS = {
    2: Grid((17, 15), (2.0, 2.5), (-16.0, -17.5), ((0.8, -0.6), (0.6, 0.8))),
    3: Grid((15, 14, 12), (2.0, 2.5, 3.0), (-14.0, -16.0, -16.5), OBLIQUE),
}
FAR_MM = 1e4


def image(dimension: int, seed: int, dtype: torch.dtype = torch.float64) -> Image:
    """Smooth noise with intensities between 0 and 1000."""
    grid = GRIDS[dimension]
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(1, 1, *(n // 3 + 2 for n in grid.shape), generator=generator, dtype=torch.float64)
    mode = "trilinear" if dimension == 3 else "bilinear"
    smooth = torch.nn.functional.interpolate(noise, size=grid.shape, mode=mode, align_corners=True)[0, 0]
    return Image((smooth * 1000).to(dtype), grid)


def half_mask(dimension: int) -> Image:
    """The lower half of the moving image along x."""
    grid = GRIDS[dimension]
    return Image((grid.index_points()[:, 0] < grid.size[0] / 2).reshape(grid.shape), grid)


def random(count: int, scale: float, seed: int) -> torch.Tensor:
    return (torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.5) * 2 * scale


def transforms(dimension: int) -> dict[str, AbstractTransform]:
    """A linear map, a deformation, and both in the two combinations; they move points by a few mm."""
    identity = torch.eye(dimension, dtype=torch.float64).flatten()
    parameters = torch.cat([identity + random(dimension**2, 0.04, 1), random(dimension, 2.0, 2)])
    affine = AffineTransform(parameters, (0.0,) * dimension)
    lattice = Grid.axis_aligned((9,) * dimension, (9.0,) * dimension, (-36.0,) * dimension)
    spline = BSplineTransform(random(dimension * lattice.number_of_voxels, 2.5, 3), lattice)
    return {
        "affine": affine,
        "spline": spline,
        "composed": CompositeTransform(affine, spline),
        "added": CompositeTransform(affine, spline, "Add"),
    }


def sample_points(dimension: int, count: int = 300) -> torch.Tensor:
    """World points within the fixed image."""
    grid = GRIDS[dimension]
    last = torch.tensor(grid.size, dtype=torch.float64) - 1
    unit = torch.rand(count, dimension, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return grid.to_world(unit * last)


class MetricContract(ABC):
    """Tests of a metric at random points under several transforms, in 2-D and 3-D."""

    reads_samples = True
    """Whether the metric depends on the sampler's points."""

    @abstractmethod
    def make(self, dimension: int, moving_mask: Image | None, dtype: torch.dtype = torch.float64) -> AbstractMetric:
        """The metric on `image(dimension, 1)` and `image(dimension, 2)` of this dtype."""

    def comparable(self, measured: MetricValue, here: MetricValue) -> torch.Tensor:
        """What has the gradient that the metric has `here`: its value, unless a metric says otherwise."""
        del here
        return measured.value

    @pytest.fixture(params=[2, 3], ids=["2-D", "3-D"])
    def dimension(self, request: pytest.FixtureRequest) -> int:
        return request.param

    @pytest.fixture(params=["affine", "spline", "composed", "added"])
    def transform(self, request: pytest.FixtureRequest, dimension: int) -> AbstractTransform:
        return transforms(dimension)[request.param]

    def gradient(
        self, metric: AbstractMetric, transform: AbstractTransform, world_points: torch.Tensor
    ) -> tuple[MetricValue, torch.Tensor]:
        leaf = transform.parameters.detach().clone().requires_grad_()
        measured = metric.evaluate(transform.with_parameters(leaf), world_points)
        return measured, torch.autograd.grad(measured.value, leaf)[0]

    def test_values_are_finite_scalars(self, dimension: int, transform: AbstractTransform) -> None:
        for mask in (None, half_mask(dimension)):
            measured, gradient = self.gradient(self.make(dimension, mask), transform, sample_points(dimension))
            assert measured.value.shape == measured.valid_fraction.shape == ()
            assert torch.isfinite(measured.value)
            assert torch.isfinite(gradient).all()
            assert 0 <= measured.valid_fraction <= 1
            assert not measured.valid_fraction.requires_grad
            assert not any(part.requires_grad or part.shape != () for part in measured.parts.values())

    def test_gradient_is_the_finite_difference(self, dimension: int, transform: AbstractTransform) -> None:
        metric, world_points = self.make(dimension, None), sample_points(dimension)
        here, gradient = self.gradient(metric, transform, world_points)
        step = random(len(transform.parameters), 1e-6, 9)
        forward, backward = (
            self.comparable(metric.evaluate(transform.with_parameters(transform.parameters + s), world_points), here)
            for s in (step, -step)
        )
        scale = float(gradient.abs().dot(step.abs())) + 1e-12
        assert float(forward - backward) == pytest.approx(2 * float(gradient.dot(step)), abs=1e-4 * scale)

    def test_points_outside_the_mask_do_not_count(self, dimension: int) -> None:
        transform, world_points = transforms(dimension)["spline"], sample_points(dimension)
        metric = self.make(dimension, half_mask(dimension))
        measured, gradient = self.gradient(metric, transform, world_points)
        more = torch.cat([world_points, world_points + FAR_MM])
        with_more, gradient_with_more = self.gradient(metric, transform, more)
        torch.testing.assert_close(with_more.value, measured.value, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(gradient_with_more, gradient, rtol=1e-8, atol=1e-10)
        if self.reads_samples:
            assert 0.2 < measured.valid_fraction < 0.8
            torch.testing.assert_close(with_more.valid_fraction, measured.valid_fraction / 2)

    def test_no_valid_sample_is_no_disaster(self, dimension: int, transform: AbstractTransform) -> None:
        for mask in (half_mask(dimension), None):
            metric = self.make(dimension, mask)
            measured, gradient = self.gradient(metric, transform, sample_points(dimension) + FAR_MM)
            assert torch.isfinite(measured.value)
            assert torch.isfinite(gradient).all()

    def test_it_can_be_measured_without_gradient(self, dimension: int, transform: AbstractTransform) -> None:
        metric, world_points = self.make(dimension, None), sample_points(dimension)
        with torch.no_grad():
            alone = metric.evaluate(transform, world_points).value
        torch.testing.assert_close(alone, self.gradient(metric, transform, world_points)[0].value.detach())

    def test_float32_agrees(self, dimension: int, transform: AbstractTransform) -> None:
        world_points = sample_points(dimension)
        exact, exact_gradient = self.gradient(self.make(dimension, None), transform, world_points)
        metric = self.make(dimension, None, torch.float32)
        measured, gradient = self.gradient(metric, transform.to(torch.float32), world_points.float())
        assert measured.value.dtype == gradient.dtype == torch.float32
        torch.testing.assert_close(measured.value.double(), exact.value, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(
            gradient.double(), exact_gradient, rtol=0, atol=1e-3 * float(exact_gradient.norm()) + 1e-7
        )

    def test_repeated_gradients_are_the_same_bytes(self, dimension: int) -> None:
        transform, world_points = transforms(dimension)["spline"].to(torch.float32), sample_points(dimension).float()
        metric = self.make(dimension, None, torch.float32)
        first, second = (self.gradient(metric, transform, world_points) for _ in range(2))
        assert torch.equal(first[0].value, second[0].value)
        assert torch.equal(first[1], second[1])

    def test_no_iteration_waits_for_the_device(self, dimension: int, transform: AbstractTransform) -> None:
        metric = self.make(dimension, half_mask(dimension), torch.float32)
        transform, world_points = transform.to(torch.float32), sample_points(dimension).float()
        self.gradient(metric, transform, world_points)
        with no_host_synchronisation():
            self.gradient(metric.begin_iteration(1, transform), transform, world_points)
