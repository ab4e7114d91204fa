"""Jacobian IMPACT: patches in physical space, exact gradients, and results that do not depend on the chunk."""

from dataclasses import replace

import pytest
import torch

from elastix_impact.errors import MemoryShortError, ModelError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.metrics.impact import jacobian
from elastix_impact.metrics.impact.features import ModelInput
from elastix_impact.metrics.impact.inputs import ImpactInputs
from elastix_impact.metrics.impact.jacobian import JacobianImpact
from elastix_impact.metrics.impact.layers import LayerComparison
from elastix_impact.metrics.impact.patches import PatchPlan
from elastix_impact.registration.measure import value_and_gradient
from elastix_impact.transforms.affine import AffineTransform, identity_parameters
from elastix_impact.transforms.translation import TranslationTransform
from elastix_impact.zoo.load import FeatureModel, load_model

GRID = Grid.axis_aligned((26, 22, 18), (2.0, 2.0, 3.0), (-25.0, -21.0, -25.5))
OBLIQUE = ((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 1.0))


class _Convolutions(torch.nn.Module):
    """Two layers of smooth random convolutions, the second with stride 2; takes only the image."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        convolution = torch.nn.Conv3d if dimension == 3 else torch.nn.Conv2d
        self.first, self.second = convolution(1, 4, 3, 1, 1), convolution(4, 6, 3, 2, 1)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        first = torch.nn.functional.softplus(self.first(x / 500))
        return [first, torch.nn.functional.softplus(self.second(first))]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for dimension in (2, 3):
        torch.jit.script(_Convolutions(dimension)).save(str(folder / f"{dimension}.pt"))
    return {dimension: load_model(folder / f"{dimension}.pt") for dimension in (2, 3)}


def _image(seed, grid=GRID):
    noise = torch.rand(1, 1, 6, 7, 8, generator=torch.Generator().manual_seed(seed)) * 1000
    data = torch.nn.functional.interpolate(noise, size=grid.shape, mode="trilinear", align_corners=True)[0, 0]
    return Image(data, grid)


def _metric(models, *, dimension=3, gradient="Exact", fixed=None, moving=None, mask=None, patch=5, layers=None):
    model = ModelInput(models[dimension], dimension, 1, (patch,) * dimension, (2.0,) * dimension, (True, True))
    inputs = ImpactInputs(
        fixed=fixed or _image(0), moving=moving or _image(1), moving_mask=mask,
        fixed_models=[model], moving_models=[model],
        layers=layers or [LayerComparison("L2", 1.0, 4, 0), LayerComparison("NCC", 0.5, 6, 0)],
        image_order=3, generator=torch.Generator().manual_seed(1),
    )  # fmt: skip
    return JacobianImpact(inputs, gradient=gradient)


def _points(count=40, grid=GRID):
    inner = torch.tensor(grid.size, dtype=torch.float32) - 13
    return grid.to_world(torch.rand(count, 3, generator=torch.Generator().manual_seed(3)) * inner + 6)


def _affine(parameters):
    return AffineTransform(parameters, (0.0, 0.0, 0.0))


def _value_and_gradient(metric, parameters, points):
    leaf = parameters.clone().requires_grad_()
    value = metric.evaluate(_affine(leaf), points).value
    return value.item(), torch.autograd.grad(value, leaf)[0]


def _raw(metric, shift, points):
    return {name: part.item() for name, part in metric.evaluate(TranslationTransform(shift), points).parts.items()}


@pytest.mark.parametrize("distances", [("L2", "NCC"), ("GaussianMI", "GaussianMI")])
def test_the_exact_gradient_agrees_with_finite_differences(models, distances):
    layers = [LayerComparison(distances[0], 1.0, 4, 0), LayerComparison(distances[1], 0.5, 6, 0)]
    metric, points = _metric(models, layers=layers), _points()
    start = identity_parameters(3).float()
    _, gradient = _value_and_gradient(metric, start, points)
    for index in range(12):
        step = torch.zeros(12)
        step[index] = 2e-3 if index < 9 else 2e-2
        ends = [metric.evaluate(_affine(start + sign * step), points).value.item() for sign in (1, -1)]
        expected = (ends[0] - ends[1]) / (2 * step[index].item())
        assert gradient[index].item() == pytest.approx(expected, rel=0.03, abs=2e-3 * gradient.abs().max().item())


def test_the_centre_gradient_is_exact_for_a_translation_and_only_then(models):
    points = _points()
    exact, centre = (_metric(models, gradient=gradient) for gradient in ("Exact", "Center"))
    start = identity_parameters(3).float()
    values, gradients = zip(*(_value_and_gradient(metric, start, points) for metric in (exact, centre)))
    assert values[0] == pytest.approx(values[1], rel=1e-6)
    torch.testing.assert_close(gradients[0][9:], gradients[1][9:], rtol=1e-4, atol=1e-6)
    assert (gradients[0][:9] - gradients[1][:9]).abs().max() > 1e-3 * gradients[0][:9].abs().max()


def test_the_result_does_not_depend_on_the_chunk(models, monkeypatch):
    points, start = _points(), identity_parameters(3).float()
    whole = _value_and_gradient(_metric(models), start, points)
    monkeypatch.setattr(jacobian, "CPU_PIECE_VOXELS", 7 * 125)
    for kept in (0, 1 << 20):
        monkeypatch.setattr(jacobian, "CPU_KEPT_VOXELS", kept)
        pieces = _value_and_gradient(_metric(models), start, points)
        assert whole[0] == pytest.approx(pieces[0], rel=1e-5)
        torch.testing.assert_close(whole[1], pieces[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dimension", [2, 3])
def test_short_memory_halves_the_pieces_says_so_once_and_changes_nothing(models, monkeypatch, dimension):
    points, start = _points(), identity_parameters(3).float()
    layers = [LayerComparison("L2", 1.0, 2, 0), LayerComparison("NCC", 0.5, 3, 0)]
    whole = value_and_gradient(_metric(models, dimension=dimension, layers=layers), _affine(start), start, points)
    metric, exact, batches = _metric(models, dimension=dimension, layers=layers), FeatureModel.__call__, []

    def limited(model, x, *others):
        batches.append(len(x))
        if len(x) > 11:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return exact(model, x, *others)

    monkeypatch.setattr(FeatureModel, "__call__", limited)
    with pytest.warns(UserWarning, match="smaller pieces, which changes the time and not the result") as caught:
        pieces = value_and_gradient(metric, _affine(start), start, points)
    assert len(caught) == 1
    assert max(batches) == 40 > 11 >= batches[-1]
    torch.testing.assert_close(whole[0].value, pieces[0].value)
    torch.testing.assert_close(whole[1], pieces[1], rtol=1e-4, atol=1e-5)


def test_memory_that_never_suffices_is_an_error_with_a_remedy(models, monkeypatch):
    def never(_model, _x, *_others):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    metric, start = _metric(models), identity_parameters(3).float()
    monkeypatch.setattr(FeatureModel, "__call__", never)
    with (
        pytest.warns(UserWarning, match="smaller pieces"),
        pytest.raises(MemoryShortError, match="fewer NumberOfSpatialSamples"),
    ):
        value_and_gradient(metric, _affine(start), start, _points())


def test_turning_both_images_in_the_world_changes_nothing(models):
    turn = torch.tensor(OBLIQUE)
    grid = replace(GRID, direction=OBLIQUE, origin=tuple((turn @ torch.tensor(GRID.origin)).tolist()))
    shift, points = torch.tensor([1.0, -2.0, 1.5]), _points()
    straight = _raw(_metric(models), shift, points)
    turned_images = {"fixed": Image(_image(0).data, grid), "moving": Image(_image(1).data, grid)}
    turned = _raw(_metric(models, **turned_images), turn @ shift, points @ turn.T)
    assert turned == pytest.approx(straight, rel=1e-3)


def test_a_shifted_copy_matches_at_its_shift(models):
    fixed, shift = _image(0), torch.tensor([2.0, 4.0, -3.0])
    metric = _metric(models, fixed=fixed, moving=Image(fixed.data, GRID.shifted(tuple(shift.tolist()))))
    match = metric.evaluate(TranslationTransform(shift), _points()).parts["L2 layer 0"].item()
    miss = metric.evaluate(TranslationTransform(shift * 0), _points()).parts["L2 layer 0"].item()
    assert match < 1e-6 < 0.01 * miss


def test_a_sample_counts_only_if_its_whole_patch_is_inside(models):
    mask = torch.ones(GRID.shape, dtype=torch.bool)
    mask[:, :, : GRID.size[0] // 2] = False
    metric = _metric(models, mask=Image(mask, GRID))
    edge = torch.tensor([[1.0, 0.0, 0.0], [3.0, 0.0, 0.0], [4.1, 0.0, 0.0], [9.0, 0.0, 0.0]])
    assert metric.evaluate(TranslationTransform(torch.zeros(3)), edge).valid_fraction.item() == pytest.approx(0.5)


def test_a_2d_model_sees_planes_of_all_orientations(models):
    model = ModelInput(models[2], 2, 1, (5, 3), (2.0, 1.0), (True, True))
    plan = PatchPlan(model, replace(GRID, direction=OBLIQUE), torch.Generator().manual_seed(0), torch.device("cpu"))
    points = plan.patches(torch.zeros(500, 3)).points
    assert points.shape == (500, 15, 3)
    torch.testing.assert_close(points[:, 7], torch.zeros(500, 3), atol=1e-6, rtol=0)
    sides = points[:, 8] - points[:, 7], points[:, 12] - points[:, 7]
    torch.testing.assert_close(sides[0].norm(dim=1), torch.full((500,), 2.0))
    torch.testing.assert_close(sides[1].norm(dim=1), torch.full((500,), 1.0))
    torch.testing.assert_close((sides[0] * sides[1]).sum(1), torch.zeros(500), atol=1e-5, rtol=0)
    normals = torch.linalg.cross(*sides)
    assert (normals.mean(0).abs() < 0.2).all()
    assert (normals.std(0) > 0.5).all()
    metric = _metric(models, dimension=2)
    assert metric.evaluate(TranslationTransform(torch.zeros(3)), _points()).value.isfinite()


def test_wrong_masks_and_channels_are_named(models):
    points, still = _points(), TranslationTransform(torch.zeros(3))
    with pytest.raises(ModelError, match="fixed models give 2 layers"):
        _metric(models, layers=[LayerComparison("L2", 1.0, 4, 0)]).evaluate(still, points)
    model = ModelInput(models[3], 3, 3, (5, 5, 5), (2.0, 2.0, 2.0), (True, True))
    inputs = ImpactInputs(
        fixed=_image(0), moving=_image(1), moving_mask=None, fixed_models=[model], moving_models=[model], layers=[],
        image_order=1, generator=torch.Generator(),
    )  # fmt: skip
    with pytest.raises(ModelError, match="ImpactNumberOfChannels"):
        JacobianImpact(inputs, gradient="Exact").evaluate(still, points)
