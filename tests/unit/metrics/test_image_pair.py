"""Reading two images at the same samples: rims, weights, ranges, and the metrics' values by hand."""

import numpy as np
import pytest
import scipy.ndimage
import torch

from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.metrics.correlation import NormalizedCorrelation
from elastix_impact.metrics.histogram import HistogramSettings
from elastix_impact.metrics.image_pair import ImagePair, intensity_range
from elastix_impact.metrics.joint_histogram import JointHistogramMetric
from elastix_impact.metrics.mean_squares import MeanSquares
from elastix_impact.metrics.mutual_information import minus_mutual_information
from elastix_impact.samplers.fixed import FullSampler
from elastix_impact.transforms.translation import TranslationTransform

GRID = Grid((9, 8, 7), (2.0, 1.5, 3.0), (-8.0, -5.0, -9.0), ((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 1.0)))
STILL = TranslationTransform(torch.zeros(3))


def noise(seed: int, grid: Grid = GRID) -> Image:
    return Image(torch.rand(grid.shape, generator=torch.Generator().manual_seed(seed)) * 100 - 20, grid)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_rim_is_mirrored(order: int) -> None:
    """Inside the image, but beyond the outermost voxel centres: as elastix's interpolators, and scipy's mirror."""
    image = noise(1)
    pair = ImagePair(noise(0), image, None, fixed_order=1, moving_order=order)
    size = torch.tensor(GRID.size, dtype=torch.float64)
    unit = torch.rand(500, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    index_points = -0.49 + unit * (size - 0.02)
    samples = pair.sample(STILL, GRID.to_world(index_points).float())
    expected = scipy.ndimage.map_coordinates(
        image.data.double().numpy(), index_points.flip(1).T.numpy(), order=order, mode="mirror"
    )
    np.testing.assert_allclose(samples.moving.numpy(), expected, atol=2e-3)
    assert samples.valid_fraction == 1


def test_an_image_of_one_slice() -> None:
    grid = Grid.axis_aligned((9, 8, 1), (1.0, 1.0, 4.0))
    image = noise(1, grid)
    samples = ImagePair(image, image, None, fixed_order=1, moving_order=1).sample(
        STILL, grid.world_points(torch.float32)
    )
    torch.testing.assert_close(samples.moving, image.data.flatten(), rtol=1e-5, atol=1e-4)


def test_metrics_by_hand() -> None:
    """Half of the samples lie in the mask, moved by one voxel along x."""
    fixed, moving = noise(3), noise(4)
    mask = Image(GRID.index_points()[:, 1].lt(4).reshape(GRID.shape), GRID)
    step = GRID.to_world(torch.tensor([[1.0, 0.0, 0.0]])) - GRID.to_world(torch.zeros(1, 3))
    transform = TranslationTransform(step[0])
    world_points = FullSampler(GRID, None, "cpu").draw()
    f = fixed.data[:, :4, :-1].flatten().double().numpy()
    m = moving.data[:, :4, 1:].flatten().double().numpy()
    measured = MeanSquares(fixed, moving, mask).evaluate(transform, world_points)
    assert float(measured.value) == pytest.approx(np.mean((f - m) ** 2), rel=1e-5)
    assert float(measured.valid_fraction) == pytest.approx(len(f) / len(world_points))
    measured = NormalizedCorrelation(fixed, moving, mask).evaluate(transform, world_points)
    assert float(measured.value) == pytest.approx(-np.corrcoef(f, m)[0, 1], rel=1e-4)


def test_metrics_of_an_image_and_itself() -> None:
    image = noise(5)
    world_points = FullSampler(GRID, None, "cpu").draw()
    twisted = Image(3.0 * image.data + 7.0, GRID)
    assert float(MeanSquares(image, image, None).evaluate(STILL, world_points).value) == pytest.approx(0.0, abs=1e-6)
    assert float(NormalizedCorrelation(image, twisted, None).evaluate(STILL, world_points).value) == pytest.approx(-1.0)


@pytest.mark.parametrize("far", [1e-3, 1e5])
def test_correlation_does_not_mind_the_scale(far: float) -> None:
    """Centred before squares are taken: intensities far from zero keep their digits in float32."""
    image, other = noise(5), noise(6)
    world_points = FullSampler(GRID, None, "cpu").draw()
    near = NormalizedCorrelation(image, other, None).evaluate(STILL, world_points).value
    scaled = Image(other.data * far, GRID)
    torch.testing.assert_close(
        NormalizedCorrelation(image, scaled, None).evaluate(STILL, world_points).value, near, rtol=1e-4, atol=0
    )


@pytest.mark.parametrize("kind", [NormalizedCorrelation, MeanSquares, JointHistogramMetric])
def test_constant_images_give_no_gradient(kind: type) -> None:
    flat = Image(torch.full(GRID.shape, 12.0), GRID)
    options = {"fixed_mask": None, "criterion": minus_mutual_information, "settings": HistogramSettings()}
    options = options if kind is JointHistogramMetric else {}
    metric = kind(noise(1), flat, None, **options)
    parameters = torch.zeros(3, requires_grad=True)
    measured = metric.evaluate(TranslationTransform(parameters), FullSampler(GRID, None, "cpu").draw() + 0.3)
    (gradient,) = torch.autograd.grad(measured.value, parameters)
    assert torch.isfinite(measured.value)
    assert torch.equal(gradient, torch.zeros(3))


def test_the_range_is_that_inside_the_mask() -> None:
    image = noise(7)
    mask = torch.zeros(GRID.shape, dtype=torch.bool)
    mask[2:5, 1:6, 3:7] = True
    inside = image.data[2:5, 1:6, 3:7]
    assert intensity_range(image, Image(mask, GRID)) == (float(inside.min()), float(inside.max()))
    assert intensity_range(image, None) == (float(image.data.min()), float(image.data.max()))


def test_a_mask_beside_the_image_is_refused() -> None:
    mask = Image(torch.ones(GRID.shape, dtype=torch.bool), GRID.shifted((500.0, 0.0, 0.0)))
    with pytest.raises(InputError, match="no voxel of the image lies inside its mask"):
        MeanSquares(noise(1), noise(2), mask, use_normalization=True)


@pytest.mark.parametrize(("orders", "where"), [((1, 0), "Interpolator"), ((4, 1), "FixedImageBSplineInterpolation")])
def test_orders_that_do_not_exist_are_refused(orders: tuple[int, int], where: str) -> None:
    with pytest.raises(InputError, match=where):
        MeanSquares(noise(1), noise(2), None, fixed_order=orders[0], moving_order=orders[1])


def test_normalised_mean_squares_by_hand() -> None:
    """100 over the square of the largest difference that a fixed and a moving intensity can have, inside the masks."""
    fixed, moving = noise(8), Image(noise(9).data * 0.5 + 90, GRID)
    world_points = FullSampler(GRID, None, "cpu").draw()
    plain = float(MeanSquares(fixed, moving, None).evaluate(STILL, world_points).value)
    largest = max(float(fixed.data.max() - moving.data.min()), float(moving.data.max() - fixed.data.min()))
    found = MeanSquares(fixed, moving, None, use_normalization=True).evaluate(STILL, world_points)
    assert float(found.value) == pytest.approx(plain * 100 / largest**2, rel=1e-5)
