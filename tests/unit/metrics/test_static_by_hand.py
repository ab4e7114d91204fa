"""Static IMPACT by hand: the axes that a transform makes, and features of the warped image, of linear intensities."""

import math

import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.metrics.impact.features import ModelInput
from elastix_impact.metrics.impact.inputs import ImpactInputs
from elastix_impact.metrics.impact.layers import LayerComparison
from elastix_impact.metrics.impact.static import StaticImpact, _axes_after, _with_margin
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.translation import TranslationTransform
from elastix_impact.zoo.load import load_model

FIXED = Grid.axis_aligned((12, 10, 8), (2.0, 2.0, 3.0), (-11.0, -9.0, -10.5))
MOVING = Grid.axis_aligned((20, 20, 20), (2.5, 2.5, 2.5), (-25.0, -24.0, -23.0))
SLOPES = torch.tensor([3.0, -2.0, 5.0])


class Copy(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [torch.cat([x, -2 * x], 1)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("models") / "copy.pt"
    torch.jit.script(Copy()).save(str(path))
    return load_model(path)


def intensity(points: torch.Tensor) -> torch.Tensor:
    return points @ SLOPES + 7


def linear_image(grid: Grid) -> Image:
    return Image(intensity(grid.world_points().float()).reshape(grid.shape), grid)


def affine(values: list[float], shift: list[float]) -> AffineTransform:
    return AffineTransform(torch.tensor([*values, *shift]), (0.0, 0.0, 0.0))


def static(model, voxel: float, written: dict | None = None, start=None, **options) -> StaticImpact:
    side = ModelInput(model, 3, 1, (0, 0, 0), (voxel,) * 3, (True,))
    inputs = ImpactInputs(
        fixed=linear_image(FIXED), moving=linear_image(MOVING), moving_mask=None, fixed_models=[side],
        moving_models=[side], layers=[LayerComparison("L2", 1.0, 99, 0)], image_order=1,
        generator=torch.Generator().manual_seed(1),
    )  # fmt: skip
    sink = None if written is None else lambda name, data, grid: written.update({name: (data, grid)})
    settings = {"feature_order": 1, "update_interval": 5, "level": 2, "sink": sink} | options
    return StaticImpact(inputs, start=start or TranslationTransform(torch.zeros(3)), **settings)


WARP = affine([1.0, -0.2, 0.1, 0.2, 1.05, 0.0, 0.0, -0.1, 0.9], [1.0, -2.0, 0.5])


def test_features_at_an_update_are_those_of_the_warped_image_on_the_fixed_grid(model) -> None:
    """The model gets m(T(x)) at voxels of its own size from the fixed image's first voxel on."""
    written: dict = {}
    metric = static(model, 4.0, written)
    written.clear()
    metric.begin_iteration(5, WARP)
    assert set(written) == {"Moving_2_4.00_4.00_4.00mm", "Moving_2_0"}
    data, grid = written["Moving_2_4.00_4.00_4.00mm"]
    assert (grid.size, grid.spacing, grid.origin) == ((6, 5, 6), (4.0, 4.0, 4.0), FIXED.origin)
    expected = intensity(WARP.map_points(grid.world_points().float())).reshape(1, *grid.shape)
    torch.testing.assert_close(data, expected, rtol=0, atol=2e-3)
    features, of_layer = written["Moving_2_0"]
    assert of_layer == grid
    torch.testing.assert_close(features, torch.cat([expected, -2 * expected]), rtol=0, atol=4e-3)


@pytest.mark.parametrize("updated", [False, True])
def test_the_distance_is_that_of_the_formula(model, updated: bool) -> None:
    """Linear intensities are interpolated exactly, and an affine warp is pulled back exactly."""
    metric = static(model, 2.5)
    if updated:
        metric = metric.begin_iteration(10, WARP)
    now = affine([1.02, -0.18, 0.1, 0.2, 1.0, 0.03, 0.0, -0.1, 0.95], [1.2, -1.6, 0.3])
    points = FIXED.to_world(torch.tensor([[4.0, 4.0, 3.0], [5.2, 3.1, 4.0], [6.0, 5.5, 2.6]])).float()
    difference = intensity(points) - intensity(now.map_points(points))
    value = metric.evaluate(now, points).parts["L2 layer 0"]
    assert float(value) == pytest.approx(float(difference.square().mean() * (1 + 4) / 2), rel=1e-3)


@pytest.mark.parametrize(("iteration", "interval", "asked"), [
    (0, 5, False), (4, 5, False), (5, 5, True), (6, 5, False), (10, 5, True), (3, 1, True), (5, -1, False),
    (5, 0, False),
])  # fmt: skip
def test_updates_come_at_multiples_of_the_interval(model, iteration: int, interval: int, asked: bool) -> None:
    metric = static(model, 4.0, update_interval=interval)
    assert (metric.begin_iteration(iteration, WARP) is not metric) == asked
    assert ("warp" in metric.begin_iteration(iteration, WARP).carried()) == asked


def test_samples_outside_the_moving_image_count_neither_above_nor_below(model) -> None:
    metric = static(model, 2.5)
    points = torch.tensor([[0.0, 0.0, 0.0], [2.0, 1.0, 3.0], [900.0, 0.0, 0.0], [0.0, -900.0, 0.0]])
    shift = TranslationTransform(torch.tensor([1.0, 1.0, -1.0]))
    measured = metric.evaluate(shift, points)
    assert float(measured.valid_fraction) == 0.5
    step = float(intensity(torch.tensor([[1.0, 1.0, -1.0]])) - 7)
    assert float(measured.parts["L2 layer 0"]) == pytest.approx(step**2 * 2.5, rel=1e-3)


@pytest.mark.parametrize("degrees", [0.0, 20.0, -35.0])
def test_axes_turn_with_the_transform_and_not_with_its_scales(degrees: float) -> None:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    transform = AffineTransform(torch.tensor([1.3 * c, -1.3 * s, 1.3 * s, 1.3 * c, 4.0, -7.0]), (3.0, 2.0))
    grid = Grid((9, 7), (2.0, 3.0), (1.0, -5.0), ((0.8, -0.6), (0.6, 0.8)))
    axes = _axes_after(transform, grid)
    expected = ((0.8 * c - 0.6 * s, -0.6 * c - 0.8 * s), (0.8 * s + 0.6 * c, -0.6 * s + 0.8 * c))
    assert all(row == pytest.approx(wanted, abs=1e-6) for row, wanted in zip(axes, expected))


def parabolic_spline(bend: float) -> BSplineTransform:
    """x -> x + bend y^2 on nodes at -4, -3, ...: a cubic spline whose coefficients are i^2 - 1/3 is x^2."""
    lattice = Grid.axis_aligned((20, 20), (1.0, 1.0), (-4.0, -4.0))
    nodes = torch.arange(-4.0, 16.0, dtype=torch.float64)
    along_y = bend * (nodes.square() - 1 / 3)
    coefficients = torch.stack([along_y.unsqueeze(1).expand(20, 20), torch.zeros(20, 20, dtype=torch.float64)])
    return BSplineTransform(coefficients.flatten(), lattice, 3)


def test_axes_are_those_of_the_mean_slope_in_the_inner_half() -> None:
    """The slope of x by y is 2 bend y, on average that at the middle, 2 bend 5; the nearest turn is atan(-bend 5)."""
    spline = parabolic_spline(0.05)
    points = torch.tensor([[3.0, 7.0]], dtype=torch.float64)
    torch.testing.assert_close(spline.map_points(points), torch.tensor([[3 + 0.05 * 49, 7.0]], dtype=torch.float64))
    axes = _axes_after(spline, Grid.axis_aligned((6, 11), (1.0, 1.0)))
    angle = math.atan2(-0.05 * 2 * 5, 2)
    assert axes[0] == pytest.approx((math.cos(angle), -math.sin(angle)))
    assert axes[1] == pytest.approx((math.sin(angle), math.cos(angle)))


def test_axes_do_not_look_beyond_three_quarters_nor_before_a_quarter() -> None:
    """A turn of the inner half alone, by a spline of order 1 that is zero outside, is all that counts."""
    lattice = Grid.axis_aligned((7, 7), (1.0, 1.0), (1.0, 1.0))
    local = lattice.world_points() - 4.0
    turn = 0.3
    spline = BSplineTransform(torch.cat([-turn * local[:, 1], turn * local[:, 0]]), lattice, 1)
    axes = _axes_after(spline, Grid.axis_aligned((9, 9), (1.0, 1.0)))
    angle = math.atan(turn)
    assert axes[0] == pytest.approx((math.cos(angle), -math.sin(angle)))


def test_a_margin_counts_voxels_of_the_largest_model_on_all_sides(model) -> None:
    sides = [ModelInput(model, 3, 1, (0, 0, 0), size, (True,)) for size in ((2.0, 4.0, 3.0), (3.0, 1.0, 2.5))]
    image = linear_image(MOVING)
    padded = _with_margin(image, 3, sides)
    assert padded.grid.size == (20 + 2 * 4, 20 + 2 * 5, 20 + 2 * 4)  # 9, 12 and 9 mm of 2.5 mm
    assert float(padded.data[0].min()) == float(padded.data[0].max()) == float(image.data.min())
    assert _with_margin(image, 0, sides) is image
