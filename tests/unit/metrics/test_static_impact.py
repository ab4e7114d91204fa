"""Static IMPACT: what it measures, and that it measures it in physical space."""

from dataclasses import replace

import pytest
import torch

from elastix_impact.errors import ModelError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.metrics.impact.features import (
    ModelInput,
    feature_maps,
    layer_grid,
    principal_axes,
    project,
    voxel_grid,
)
from elastix_impact.metrics.impact.inputs import ImpactInputs
from elastix_impact.metrics.impact.layers import LayerComparison
from elastix_impact.metrics.impact.static import StaticImpact
from elastix_impact.samplers.fixed import FullSampler
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.transforms.translation import TranslationTransform
from elastix_impact.zoo.export.mind import export_mind
from elastix_impact.zoo.inspect import LayerGeometry
from elastix_impact.zoo.load import load_model

GRID = Grid.axis_aligned((26, 22, 18), (2.0, 2.0, 3.0), (-26.0, -22.0, -27.0))
TURN = ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
OBLIQUE = ((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 1.0))


class _Strided(torch.nn.Module):
    """Two layers: as is, and every second voxel of a smooth version."""

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        smooth = torch.nn.functional.avg_pool3d(x, 3, 1, 1, count_include_pad=False)
        return [torch.cat([x, smooth, x - smooth], 1), torch.cat([smooth, x], 1)[:, :, ::2, ::2, ::2]]


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    export_mind(folder / "mind3.pt", radius=1, dilation=2, dimension=3)
    export_mind(folder / "mind2.pt", radius=1, dilation=1, dimension=2)
    torch.jit.script(_Strided()).save(str(folder / "strided.pt"))
    return {path.stem: load_model(path) for path in folder.iterdir()}


def _smooth_noise(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(1, 1, *(n // 4 + 2 for n in shape), generator=generator)
    mode = "trilinear" if len(shape) == 3 else "bilinear"
    return torch.nn.functional.interpolate(noise, size=shape, mode=mode, align_corners=True)[0, 0] * 1000


def _metric(
    models, fixed, moving, *, model="strided", mask=(True, False), layers=None, voxel=None, moving_mask=None, **options
):
    grid = fixed.grid
    side = ModelInput(models[model], 2 if model.endswith("2") else 3, 1, (0, 0, 0), voxel or grid.spacing, tuple(mask))
    inputs = ImpactInputs(
        fixed=fixed,
        moving=moving,
        moving_mask=moving_mask,
        fixed_models=[side],
        moving_models=[side],
        layers=layers or [LayerComparison("L2", 1.0, 99, 0)] * sum(mask),
        image_order=1,
        generator=torch.Generator().manual_seed(1),
    )
    settings = {"feature_order": 3, "update_interval": -1, "level": 0, "sink": None} | options
    return StaticImpact(inputs, start=_still(fixed.grid.dimension), **settings)


def _pair(grid=GRID):
    return Image(_smooth_noise(grid.shape), grid), Image(_smooth_noise(grid.shape, 1), grid)


def _still(dimension=3):
    return TranslationTransform(torch.zeros(dimension))


def _raw(metric, transform, points):
    return {name: value.item() for name, value in metric.evaluate(transform, points).parts.items()}


def test_the_first_value_of_l2_is_one_and_identical_images_give_zero_without_nan(models):
    fixed, moving = _pair()
    points = FullSampler(GRID, None, "cpu").draw()
    assert _metric(models, fixed, moving).evaluate(_still(), points).value.item() == pytest.approx(1.0)
    assert _metric(models, fixed, fixed).evaluate(_still(), points).value.item() == 0.0


def test_a_shifted_copy_matches_at_its_shift(models):
    fixed, _ = _pair()
    shift = torch.tensor([4.0, -2.0, 3.0])
    moving = Image(fixed.data, GRID.shifted(tuple(shift.tolist())))
    metric = _metric(models, fixed, moving, mask=(True, True), layers=[LayerComparison("L1", 1.0, 99, 0)] * 2)
    inner = FullSampler(GRID, None, "cpu").draw()
    assert _raw(metric, TranslationTransform(shift), inner) == pytest.approx(
        {"L1 layer 0": 0, "L1 layer 1": 0}, abs=1e-3
    )
    assert min(_raw(metric, _still(), inner).values()) > 10


@pytest.mark.parametrize("direction", [TURN, OBLIQUE], ids=["turned", "oblique"])
@pytest.mark.parametrize("voxel", [(2.0, 2.0, 3.0), (3.0, 3.0, 3.0)])
def test_turning_both_images_in_the_world_changes_nothing(models, direction, voxel):
    fixed, moving = _pair()
    matrix = torch.tensor(direction)
    shift = torch.tensor([1.5, -2.0, 2.5])
    expected = _raw(
        _metric(models, fixed, moving, voxel=voxel), TranslationTransform(shift), GRID.world_points(torch.float32)
    )
    grid = replace(GRID, direction=direction, origin=tuple((matrix @ torch.tensor(GRID.origin)).tolist()))
    turned = _metric(models, Image(fixed.data, grid), Image(moving.data, grid), voxel=voxel)
    got = _raw(turned, TranslationTransform(matrix @ shift), grid.world_points(torch.float32))
    assert got == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("shape", [(30, 17), (17, 30)])
def test_non_square_2d_images_keep_their_axes(models, shape):
    grid = Grid.axis_aligned(shape, (2.0, 3.0), (5.0, -7.0))
    fixed = Image(_smooth_noise(grid.shape), grid)
    written = {}
    metric = _metric(
        models, fixed, fixed, model="mind2", mask=(True,), sink=lambda name, data, g: written.update({name: (data, g)})
    )
    assert metric.channels == (4,)
    torch.testing.assert_close(written["Fixed_0_2.00_3.00mm"][0][0], fixed.data)
    assert written["Fixed_0_0"][1] == grid


def test_samples_outside_image_or_mask_do_not_count(models):
    fixed, moving = _pair()
    mask = torch.zeros(GRID.shape, dtype=torch.bool)
    mask[: GRID.shape[0] // 2] = True
    metric = _metric(models, fixed, moving, moving_mask=Image(mask, GRID))
    points = GRID.world_points(torch.float32)
    assert metric.evaluate(_still(), points).valid_fraction.item() == pytest.approx(0.5)
    gone = metric.evaluate(TranslationTransform(torch.tensor([500.0, 0, 0])), points)
    assert gone.valid_fraction == 0
    assert gone.value.isfinite()


def test_gradient_agrees_with_finite_differences(models):
    fixed, moving = _pair()
    metric = _metric(
        models, fixed, moving, mask=(True, True),
        layers=[LayerComparison("NCC", 1.0, 99, 0), LayerComparison("L2", 0.5, 99, 0)],
    )  # fmt: skip
    points = GRID.world_points(torch.float32)[::7]
    points = points[(points.abs() < 12).all(1)]
    parameters = torch.tensor([0.3, -0.2, 0.4], requires_grad=True)
    value = metric.evaluate(TranslationTransform(parameters), points).value
    (gradient,) = torch.autograd.grad(value, parameters)
    step = 0.02
    for axis in range(3):
        move = torch.eye(3)[axis] * step
        ends = [metric.evaluate(TranslationTransform(parameters.detach() + s * move), points).value for s in (1, -1)]
        assert gradient[axis].item() == pytest.approx(((ends[0] - ends[1]) / (2 * step)).item(), rel=0.05, abs=2e-4)


def test_features_updated_on_the_way_still_match_at_the_true_motion(models):
    """Reading the warped image's features at the pulled-back point is reading the moving image's at T(x)."""
    fixed, _ = _pair()
    moving = Image(fixed.data, GRID.shifted((2.5, -1.5, 3.5)))
    metric = _metric(models, fixed, moving, update_interval=5)
    points = GRID.world_points(torch.float32)
    points = points[(points.abs() < 14).all(1)]
    turn = 0.05
    parameters = torch.tensor([1.0, -turn, 0.0, turn, 1.0, 0.0, 0.0, 0.0, 1.0, 2.0, -2.0, 3.0])
    start, true = AffineTransform(parameters, (0.0, 0.0, 0.0)), TranslationTransform(torch.tensor([2.5, -1.5, 3.5]))
    before = {name: _raw(metric, t, points)["L2 layer 0"] for name, t in (("start", start), ("true", true))}
    assert metric.begin_iteration(4, CompositeTransform(_still(), start)) is metric
    assert _raw(metric, true, points)["L2 layer 0"] == before["true"]
    updated = metric.begin_iteration(5, CompositeTransform(_still(), start))
    assert _raw(updated, true, points)["L2 layer 0"] < 0.2 * before["start"]
    assert _raw(updated, start, points)["L2 layer 0"] == pytest.approx(before["start"], rel=0.1)
    assert _raw(metric, true, points)["L2 layer 0"] == before["true"], "the metric before stays as it was"
    again = metric.with_carried(updated.carried(), CompositeTransform(_still(), start.with_parameters(parameters * 2)))
    assert _raw(again, true, points) == _raw(updated, true, points)


def test_subsets_change_with_the_generator_and_keep_the_mean(models):
    fixed, moving = _pair()
    metric = _metric(models, fixed, moving, model="mind3", mask=(True,), layers=[LayerComparison("L1", 1.0, 3, 0)])
    points = GRID.world_points(torch.float32)
    values = [_raw(metric, _still(), points)["L1 layer 0"] for _ in range(200)]
    everything = _metric(models, fixed, moving, model="mind3", mask=(True,), layers=[LayerComparison("L1", 1.0, 12, 0)])
    assert len(set(values)) > 50
    assert sum(values) / 200 == pytest.approx(_raw(everything, _still(), points)["L1 layer 0"], rel=0.02)


def test_pca_keeps_the_directions_of_most_variance(generator):
    mixing = torch.randn(6, 2, generator=generator)
    features = (mixing @ torch.randn(2, 500, generator=generator)).reshape(6, 10, 50)
    axes = principal_axes(features, 2)
    kept = project(features, axes)
    assert kept.shape == (2, 10, 50)
    assert kept.var() * 2 == pytest.approx(features.flatten(1).var(1).sum().item(), rel=0.02)
    torch.testing.assert_close(axes.T @ axes, torch.eye(2), atol=1e-5, rtol=0)


def test_layers_that_do_not_fit_are_refused_with_both_numbers(models):
    fixed, moving = _pair()
    sides = [
        ModelInput(models["strided"], 3, 1, (0, 0, 0), GRID.spacing, mask) for mask in ((True, False), (False, True))
    ]
    inputs = ImpactInputs(
        fixed=fixed, moving=moving, moving_mask=None, fixed_models=sides[:1], moving_models=sides[1:],
        layers=[LayerComparison("L2", 1.0, 1, 0)], image_order=1, generator=torch.Generator(),
    )  # fmt: skip
    options = {"start": _still(), "feature_order": 1, "update_interval": -1, "level": 0, "sink": None}
    with pytest.raises(ModelError, match="3 fixed and 2 moving channels"):
        StaticImpact(inputs, **options)
    with pytest.raises(ModelError, match="fixed models give 2 layers"):
        StaticImpact(replace(inputs, fixed_models=sides), **options)


def test_voxel_and_layer_grids_lie_where_the_voxels_are():
    grid = replace(GRID, direction=OBLIQUE)
    coarse = voxel_grid(grid, (4.0, 4.0, 4.0))
    assert coarse.size == (13, 11, 14)
    assert coarse.origin == grid.origin
    layer = LayerGeometry(2, (2.0, 2.0, 2.0), (0.5, 0.5, 0.5), (3, 3, 3), global_context=False, measured=True)
    placed = layer_grid(coarse, torch.zeros(2, 7, 5, 6), layer)
    assert placed.spacing == (8.0, 8.0, 8.0)
    torch.testing.assert_close(
        coarse.to_index(placed.to_world(torch.tensor([[1.0, 0, 0]]))), torch.tensor([[2.5, 0.5, 0.5]])
    )


class Constant(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [torch.ones_like(x)]


def test_features_that_are_the_same_everywhere_are_refused(tmp_path):
    path = tmp_path / "constant.pt"
    torch.jit.script(Constant()).save(path)
    grid = Grid.axis_aligned((7, 6, 5), (1.0, 1.0, 1.0))
    model_input = ModelInput(load_model(path), 3, 1, (0, 0, 0), grid.spacing, (True,))
    image = Image(torch.rand(grid.shape), grid)
    with pytest.raises(ModelError, match="same features at all 210 voxels"):
        feature_maps(image, model_input, image.statistics(), role="Fixed_0", sink=None)
