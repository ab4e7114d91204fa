"""Local correlation against windows summed one by one, and what it is blind to."""

from dataclasses import replace

import pytest
import torch

from elastix_impact.errors import ImageError
from elastix_impact.geometry.image import Image
from elastix_impact.metrics.local_correlation import NOISE, LocalNormalizedCorrelation
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.transforms.inverse import invert_linear
from elastix_impact.transforms.straighten import Straightened, lattice_around
from metric_contract import GRIDS, image, transforms

RADIUS = 2
NO_POINTS = torch.zeros(0, 3, dtype=torch.float64)
TURNED = torch.tensor([[0.96, -0.28, 0.0], [0.28, 0.96, 0.0], [0.0, 0.0, 1.0]])
STILL = AffineTransform(torch.cat([torch.eye(3).flatten(), torch.zeros(3)]).double(), (0.0, 0.0, 0.0))


def correlation(
    fixed: Image, moving: Image, start: AbstractTransform = STILL, mask=None, moving_mask=None, stride=1
) -> LocalNormalizedCorrelation:
    return LocalNormalizedCorrelation(
        fixed, moving, moving_mask, sampling_mask=mask, start=start, voxel_size=0.0, radius=RADIUS, stride=stride
    )


def by_hand(fixed: torch.Tensor, moving: torch.Tensor, weights: torch.Tensor, stride: int) -> torch.Tensor:
    """The mean squared correlation of all windows, one after the other; images of mean 0 and variance 1."""
    found, shares, size = [], [], fixed.shape
    for place in torch.cartesian_prod(*(torch.arange(n) for n in size)).tolist():
        if any((p + RADIUS) % stride for p in place):  # the lattice begins `RADIUS` voxels before the image
            continue
        if weights[tuple(place)] == 0:
            continue
        window = tuple(slice(max(0, p - RADIUS), p + RADIUS + 1) for p in place)
        w = weights[window].flatten()
        if w.sum() * 2 < (2 * RADIUS + 1) ** 3:
            continue
        f, m = fixed[window].flatten()[w > 0], moving[window].flatten()[w > 0]
        f, m = f - f.mean(), m - m.mean()
        found.append((f * m).mean() ** 2 / ((f * f).mean() * (m * m).mean() + NOISE**2))
        shares.append((f * f).mean() ** 2 / ((f * f).mean() ** 2 + NOISE**2))
    return torch.stack(found).dot(torch.stack(shares)) / torch.stack(shares).sum()


def standardised(values: torch.Tensor) -> torch.Tensor:
    return (values - values.mean()) / values.std(correction=0)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("masked", [False, True])
def test_it_is_the_mean_over_windows(masked: bool, stride: int) -> None:
    fixed, moving = image(3, 1), image(3, 2)
    mask = torch.ones(fixed.data.shape, dtype=torch.bool)
    if masked:
        mask[:, :5, 4:9] = False
    measured = correlation(fixed, moving, mask=mask if masked else None, stride=stride).evaluate(STILL, NO_POINTS)
    expected = by_hand(standardised(fixed.data), standardised(moving.data), mask.double(), stride)
    torch.testing.assert_close(-measured.value, expected, rtol=1e-6, atol=1e-9)
    assert float(measured.valid_fraction) == 1.0


def test_brightness_and_contrast_that_drift_change_little() -> None:
    fixed = image(3, 1)
    drift = torch.linspace(1, 2, fixed.data.shape[2], dtype=torch.float64)
    drifted = Image(-300 * drift + fixed.data * drift, fixed.grid)
    other = float(correlation(fixed, image(3, 2)).evaluate(STILL, NO_POINTS).value)
    assert float(correlation(fixed, drifted).evaluate(STILL, NO_POINTS).value) < -0.8
    assert other > -0.4


def test_a_constant_image_has_no_correlation_and_no_gradient() -> None:
    fixed = image(3, 1)
    flat = Image(torch.full_like(fixed.data, 7.0), fixed.grid)
    leaf = STILL.parameters.clone().requires_grad_()
    measured = correlation(fixed, flat).evaluate(STILL.with_parameters(leaf), NO_POINTS)
    assert float(measured.value.detach()) == 0.0
    assert not torch.autograd.grad(measured.value, leaf)[0].any()


def test_after_a_linear_transform_the_lattice_follows_the_control_points() -> None:
    """The lattice between both parts sees the same pairs of points as the whole transform does."""
    whole = transforms(3)["composed"]
    assert isinstance(whole, CompositeTransform)
    straight = Straightened.of(whole)
    grid = lattice_around(straight, GRIDS[3], None, 0.0)
    assert grid is not None
    between = grid.world_points()
    mapped = whole.map_points(straight.fixed_points(between))
    torch.testing.assert_close(straight.rest(whole).map_points(between), mapped, rtol=0, atol=1e-9)
    index_points = GRIDS[3].to_index(straight.fixed_points(between))
    size = torch.tensor(GRIDS[3].size, dtype=torch.float64)
    assert float(index_points.amin()) < 0.5  # it covers the fixed image
    assert bool((index_points.amax(0) > size - 1.5).all())


def test_the_lattice_is_as_wide_as_the_mask_and_as_fine_as_asked() -> None:
    mask = torch.zeros(GRIDS[3].shape, dtype=torch.bool)
    mask[2:8, 3:9, 4:14] = True
    grid = lattice_around(Straightened.of(STILL), GRIDS[3], mask, 2.6)
    assert grid is not None
    assert grid.spacing == (2.6, 2.6, 3.0)
    assert grid.size == (7, 5, 6)
    wider = lattice_around(Straightened.of(STILL), GRIDS[3], mask, 2.6, margin=2)
    assert wider is not None
    assert wider.size == (11, 9, 10)
    torch.testing.assert_close(wider.to_index(grid.world_points()[:1]), torch.full((1, 3), 2.0, dtype=torch.float64))


def test_the_lattice_around_a_turned_ball_is_no_larger_than_the_ball() -> None:
    turn = AffineTransform(torch.tensor([0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1, 0, 0, 0]).double(), (0.0, 0.0, 0.0))
    middle = GRIDS[3].world_points().mean(0)
    ball = ((GRIDS[3].world_points() - middle).norm(dim=1) < 6).reshape(GRIDS[3].shape)
    straight = Straightened(turn, invert_linear(turn))
    grid = lattice_around(straight, GRIDS[3], ball, 1.0)
    assert grid is not None
    assert max(grid.extent) <= 13


@pytest.mark.parametrize("stride", [1, 2])
def test_its_gradient_is_that_of_finite_differences(stride: int) -> None:
    metric = correlation(image(3, 1), image(3, 2), stride=stride)
    away = torch.linspace(0.0107, 0.0231, 12, dtype=torch.float64)  # from the voxels, where a linear image has corners
    leaf = (STILL.parameters + away).requires_grad_()
    (gradient,) = torch.autograd.grad(metric.evaluate(STILL.with_parameters(leaf), NO_POINTS).value, leaf)
    direction = torch.linspace(-1, 1, 12, dtype=torch.float64)
    with torch.no_grad():
        ahead, behind = (
            metric.evaluate(STILL.with_parameters(leaf + step * direction), NO_POINTS).value for step in (1e-6, -1e-6)
        )
    assert float(gradient @ direction) == pytest.approx(float(ahead - behind) / 2e-6, rel=1e-6)


def test_a_wide_ground_of_one_value_costs_nothing_and_changes_nothing() -> None:
    """The lattice lies around what the fixed image shows, however large a box it floats in."""
    small, moving = image(3, 1), image(3, 2)
    floor = torch.full_like(small.data, float(small.data.mean()))
    floor[3:-3, 3:-3, 3:-3] = small.data[3:-3, 3:-3, 3:-3]
    wide = torch.full(tuple(n + 20 for n in floor.shape), float(small.data.mean()), dtype=floor.dtype)
    wide[10:-10, 10:-10, 10:-10] = floor
    corner = small.grid.to_world(torch.full((1, 3), -10.0, dtype=torch.float64))[0]
    grid = replace(small.grid, size=tuple(n + 20 for n in small.grid.size), origin=tuple(corner.tolist()))
    plain, floating = correlation(Image(floor, small.grid), moving), correlation(Image(wide, grid), moving)
    assert floating.number_of_points == plain.number_of_points
    values = [float(metric.evaluate(STILL, NO_POINTS).value) for metric in (plain, floating)]
    assert values[0] == pytest.approx(values[1], rel=0.05)  # images are standardised, and the wide one varies less


def test_nothing_to_compare_is_an_error() -> None:
    fixed = image(3, 1)
    with pytest.raises(ImageError, match="no voxel of the fixed image counts"):
        correlation(fixed, fixed, mask=torch.zeros(fixed.data.shape, dtype=torch.bool))


def test_a_linear_transform_after_a_linear_one_is_compared_at_the_fixed_voxels() -> None:
    """Between both, the lattice would lie between the voxels and read the fixed image by interpolation."""
    fixed, moving = image(3, 1), image(3, 2)
    turn = AffineTransform(torch.cat([TURNED.flatten(), torch.zeros(3)]).double(), (0.0, 0.0, 0.0))
    chain = CompositeTransform(turn, STILL)
    whole = correlation(fixed, moving, start=turn).evaluate(turn, NO_POINTS)
    torch.testing.assert_close(correlation(fixed, moving, start=chain).evaluate(chain, NO_POINTS).value, whole.value)


def test_between_voxels_the_fixed_image_is_linear() -> None:
    """A lattice of wider spacing lies between the voxels; linear intensities are read there exactly."""
    grid = GRIDS[3]
    slopes = torch.tensor([3.0, -1.0, 2.0], dtype=torch.float64)
    fixed = Image((grid.world_points() @ slopes).reshape(grid.shape), grid)
    metric = LocalNormalizedCorrelation(
        fixed, fixed, None, sampling_mask=None, start=STILL, voxel_size=3.3, radius=1, moving_order=1
    )
    lattice = lattice_around(Straightened.of(STILL), grid, None, 3.3, margin=1)
    assert lattice is not None
    inner = (slice(1, -1),) * 3
    values = (lattice.world_points() @ slopes).reshape(lattice.shape)
    expected = (values - fixed.data.mean()) / fixed.data.std(correction=0)
    torch.testing.assert_close(metric._fixed[inner], expected[inner])


def test_one_point_that_counts_is_all_of_them() -> None:
    mask = torch.zeros(GRIDS[3].shape, dtype=torch.bool)
    mask[5, 6, 7] = True
    measured = correlation(image(3, 1), image(3, 2), mask=mask).evaluate(STILL, NO_POINTS)
    assert float(measured.valid_fraction) == 1.0
    assert float(measured.value) == 0.0, "a window with one point of 125 is not whole"
