"""The loss for training: the metric's own numbers, image by image, with clean gradients and clean checkpoints."""

import copy
import doctest

import pytest
import torch
from torch import Tensor, nn

from elastix_impact import ImpactLoss, export_mind
from elastix_impact.errors import DeviceError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.metrics.impact import loss as loss_module
from elastix_impact.metrics.impact.distances import DISTANCES
from elastix_impact.metrics.impact.features import ModelInput, layer_grid
from elastix_impact.metrics.impact.inputs import ImpactInputs
from elastix_impact.metrics.impact.layers import LayerComparison
from elastix_impact.metrics.impact.static import StaticImpact
from elastix_impact.transforms.translation import TranslationTransform
from elastix_impact.zoo.inspect import layer_geometry
from elastix_impact.zoo.load import load_model
from loss_networks import CountsCalls, FourInputs, Pyramid, SeesBatch, TwoInputs


def _images(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) + 0.1


def _pair(*shape: int) -> tuple[Tensor, Tensor]:
    return _images(*shape), _images(*shape, seed=1)


def _saved(module: nn.Module, path):
    torch.jit.script(module).save(str(path))
    return path


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_number_is_the_metrics_own(distance, tmp_path):
    """Static IMPACT at every voxel of a layer, nothing moved: the same distance between the same features."""
    path = _saved(Pyramid(3), tmp_path / "model.pt")
    grid = Grid.axis_aligned((12, 10, 8), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
    fixed, moving = (Image(images[0, 0], grid) for images in _pair(1, 1, *grid.shape))
    for mask, index in (("10", 0), ("01", 1)):
        side = ModelInput(load_model(path), 3, 1, (0, 0, 0), grid.spacing, tuple(c == "1" for c in mask))
        inputs = ImpactInputs(
            fixed=fixed, moving=moving, moving_mask=None, fixed_models=[side], moving_models=[side], image_order=1,
            layers=[LayerComparison(distance, 1.0, 99, 0)], generator=torch.Generator(),
        )  # fmt: skip
        still = TranslationTransform(torch.zeros(3))
        metric = StaticImpact(inputs, start=still, feature_order=1, update_interval=-1, level=0, sink=None)
        features = Pyramid(3)(fixed.data[None, None])[index][0]
        voxels = layer_grid(grid, features, layer_geometry(side.model, 3, 1, 2)[index])
        (expected,) = metric.evaluate(still, voxels.world_points(torch.float32)).parts.values()
        loss = ImpactLoss(path, mask, distance)
        torch.testing.assert_close(
            loss(moving.data[None, None], fixed.data[None, None]), expected, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("distance", DISTANCES)
def test_gradients_by_both_images_agree_with_finite_differences(distance):
    loss = ImpactLoss(Pyramid(2), "11", distance, [1.0, 0.5]).double()
    output, target = (images.double().requires_grad_() for images in _pair(2, 1, 6, 5))
    mask = _images(2, 1, 6, 5, seed=2)
    assert torch.autograd.gradcheck(lambda a, b: loss(a, b, mask), (output, target))


def test_a_gradient_goes_where_one_is_asked_for():
    loss = ImpactLoss(Pyramid(2), "11")
    output, target = _pair(2, 1, 8, 8)
    loss(output.requires_grad_(), target).backward()
    assert output.grad is not None
    assert output.grad.abs().max() > 0
    assert target.grad is None
    with torch.no_grad():
        assert not loss(output, target).requires_grad


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("kind", ["plain", "statistics", "slices", "sees its batch"])
def test_a_batch_is_the_mean_of_its_images(distance, kind, tmp_path):
    model, layers, dimension = {
        "plain": (Pyramid(3), "11", 3),
        "statistics": (torch.jit.script(FourInputs()), "11", 3),
        "slices": (Pyramid(2), "11", 2),
        "sees its batch": (export_mind(tmp_path / "mind.pt", 1, 1, 2), "1", 2),
    }[kind]
    loss = ImpactLoss(model, layers, distance, dimension=dimension)
    output, target = _pair(3, 1, 6, 8, 10)
    output = output * torch.tensor([1.0, 100.0, 0.01])[:, None, None, None, None]
    mask = (_images(3, 1, 6, 8, 10, seed=3) > 0.5).float()
    alone = [loss(*(one[None] for one in row)) for row in zip(output, target, mask)]
    torch.testing.assert_close(loss(output, target, mask), torch.stack(alone).mean(), rtol=1e-4, atol=1e-5)


def test_models_and_layers_add_up_with_their_weights():
    output, target = _pair(2, 1, 8, 10)
    first, second = Pyramid(2), Pyramid(2, seed=5)
    together = ImpactLoss([first, second], ["11", "01"], ["L1", "Cosine", "NCC"], [0.5, 2.0, 3.0])
    parts = [
        0.5 * ImpactLoss(first, "10", "L1")(output, target),
        2.0 * ImpactLoss(first, "01", "Cosine")(output, target),
        3.0 * ImpactLoss(second, "01", "NCC")(output, target),
    ]
    torch.testing.assert_close(together(output, target), sum(parts))
    one_for_all = ImpactLoss([first, second], ["11", "01"], "L1", 2)
    each = ImpactLoss([first, second], ["11", "01"], ["L1"] * 3, [2.0] * 3)
    assert torch.equal(one_for_all(output, target), each(output, target))


def test_a_2d_model_sees_a_volume_slice_by_slice():
    output, target = _pair(2, 1, 5, 8, 6)
    loss = ImpactLoss(Pyramid(2), "01", "L2", dimension=2)
    slices = [ImpactLoss(Pyramid(2), "01", "L2")(output[:, :, z], target[:, :, z]) for z in range(5)]
    torch.testing.assert_close(loss(output, target), torch.stack(slices).mean())


def test_slices_go_through_together_unless_the_model_looks_at_its_batch():
    output, target = _pair(2, 1, 5, 8, 6)
    output[0, 0, 2] *= 100
    for model, calls_per_image in ((CountsCalls(), 1), (SeesBatch(), 10)):
        loss = ImpactLoss(model, "1", "L1", dimension=2)
        (network,) = loss._networks
        loss(output, target)
        before = network.module.calls.item()
        loss(output, target)
        assert network.module.calls.item() - before == 2 * calls_per_image
    expected = [a / a.std() - b / b.std() for a, b in zip(output.flatten(0, 2), target.flatten(0, 2))]
    torch.testing.assert_close(loss(output, target), torch.stack(expected).abs().mean())


def test_mind_is_known_to_look_at_its_batch_and_convolutions_not(tmp_path):
    images = _images(4, 1, 16, 16)
    for model, layers, alone in ((export_mind(tmp_path / "mind.pt", 1, 1, 2), "1", False), (Pyramid(2), "11", True)):
        (network,) = ImpactLoss(model, layers)._networks
        answer = network._sees_each_alone(images, torch.tensor([0.1, 1.1, 0.6, 0.3]), torch.eye(2, dtype=torch.int64))
        assert answer is alone


@pytest.mark.parametrize("from_file", [True, False])
def test_models_get_what_their_forward_takes(from_file, tmp_path):
    output, target = _pair(2, 1, 6, 8)

    def loss(module: nn.Module, layers: str) -> Tensor:
        model = _saved(module, tmp_path / "model.pt") if from_file else torch.jit.script(module)
        return ImpactLoss(model, layers, "L1")(output, target)

    torch.testing.assert_close(loss(TwoInputs(), "010"), 2 * (output - target).abs().mean())
    torch.testing.assert_close(loss(TwoInputs(), "001"), 3 * (output - target).abs().mean())
    standard = [(i - i.mean()) / i.std(correction=0) for images in (output, target) for i in images]
    expected = torch.stack([standard[0] - standard[2], standard[1] - standard[3]]).abs().mean()
    torch.testing.assert_close(loss(FourInputs(), "01"), expected)
    first, second = Pyramid(2)(output)[0], Pyramid(2)(target)[0]
    torch.testing.assert_close(loss(Pyramid(2), "10"), (first - second).abs().mean())


def test_statistics_are_constants():
    output, target = _pair(1, 1, 6, 8)
    output.requires_grad_()
    ImpactLoss(torch.jit.script(FourInputs()), "01", "DotProduct")(output, target).backward()
    told = (target - target.mean()) / target.std(correction=0)
    expected = -2 * told / output.detach().std(correction=0) / target.numel()
    torch.testing.assert_close(output.grad, expected, rtol=1e-4, atol=1e-6)


def test_one_channel_is_repeated_and_others_are_kept():
    model, (output, target) = Pyramid(2, channels=3), _pair(2, 1, 8, 8)
    loss = ImpactLoss(model, "11", channels=3)
    rgb = [images.repeat(1, 3, 1, 1) for images in (output, target)]
    assert torch.equal(loss(output, target), loss(*rgb))
    assert loss(rgb[0] * torch.tensor([1.0, 2.0, 3.0])[:, None, None], rgb[1]) != loss(*rgb)


def test_a_mask_weights_voxels_and_what_strided_layers_make_of_them():
    output, target = _pair(2, 1, 4, 6)
    mask = torch.zeros(2, 1, 4, 6)
    mask[0, 0, :2, :3] = 1
    loss = ImpactLoss(Pyramid(2), "01", "L2")
    squares = (Pyramid(2)(output)[1] - Pyramid(2)(target)[1])[0].square().mean(0)
    expected = (squares[0, 0] + 0.5 * squares[0, 1]) / 1.5
    torch.testing.assert_close(loss(output, target, mask), expected / 2)
    torch.testing.assert_close(loss(output, target, mask.bool()), expected / 2)
    torch.testing.assert_close(loss(output, target, torch.full_like(mask, 0.3)), loss(output, target))


@pytest.mark.parametrize("distance", DISTANCES)
def test_an_empty_mask_gives_no_loss_and_no_gradient(distance):
    output, target = _pair(1, 1, 4, 6)
    value = ImpactLoss(Pyramid(2), "11", distance)(output.requires_grad_(), target, torch.zeros(1, 1, 4, 6))
    value.backward()
    assert value == 0
    assert output.grad is not None
    assert output.grad.abs().max() == 0


def test_subsets_of_channels_are_drawn_by_the_generator():
    output, target = _pair(1, 1, 8, 8)

    def values(**options) -> list[float]:
        loss = ImpactLoss(Pyramid(2), "01", "L1", **options)
        return [loss(output, target).item() for _ in range(100)]

    assert values(subset=2) == values(subset=2)
    assert values(subset=2) != values(subset=2, generator=torch.Generator().manual_seed(1))
    assert len(set(values(subset=2))) > 5
    assert sum(values(subset=2)) / 100 == pytest.approx(values()[0], rel=0.1)
    assert len(set(values(subset=6))) == len(set(values())) == 1


def test_normalised_losses_start_at_their_weights_and_a_checkpoint_remembers_where():
    output, target = _pair(2, 1, 8, 8)
    settings = {"distance": ["L2", "Cosine"], "weights": [0.25, 0.5], "normalise": True}
    loss, plain = ImpactLoss(Pyramid(2), "11", **settings), ImpactLoss(Pyramid(2), "01", "Cosine", 0.5)
    start = loss(output, target)
    torch.testing.assert_close(start, 0.25 + plain(output, target))
    near = target + 0.1 * (output - target)
    later = loss(near, target)
    assert later < start
    resumed = ImpactLoss(Pyramid(2), "11", **settings)
    resumed.load_state_dict(loss.state_dict())
    assert torch.equal(resumed(near, target), later)
    assert loss.state_dict()["first_values"].shape == (2,)


def test_the_networks_are_nobodys_parameters():
    model = Pyramid(2)
    loss = ImpactLoss(model, "11")
    trainer = nn.ModuleDict({"network": nn.Linear(2, 2), "loss": loss}).train()
    assert list(loss.parameters()) == []
    assert not any(name.startswith("loss") for name in trainer.state_dict())
    assert loss.load_state_dict(loss.state_dict()).missing_keys == []
    assert all(p.requires_grad for p in model.parameters())
    assert model.training
    (network,) = loss._networks
    assert not network.module.training
    before = loss(*_pair(1, 1, 6, 6))
    with torch.no_grad():
        model.first.weight += 1
    assert torch.equal(loss(*_pair(1, 1, 6, 6)), before)


def test_the_networks_move_with_the_loss_and_files_stay_as_they_are(tmp_path):
    path = _saved(Pyramid(2), tmp_path / "model.pt")
    loss = ImpactLoss(path, "11").double()
    assert loss(*_pair(1, 1, 6, 6)).dtype == torch.float64
    assert next(load_model(path).module.parameters()).dtype == torch.float32
    with pytest.raises(DeviceError, match=r'loss\.to\("meta"\)'):
        loss(*(images.to("meta") for images in _pair(1, 1, 6, 6)))
    twin = copy.deepcopy(loss)
    assert torch.equal(twin(*_pair(1, 1, 6, 6)), loss(*_pair(1, 1, 6, 6)))
    assert next(twin.float()._networks[0].module.parameters()).dtype == torch.float32
    assert next(loss._networks[0].module.parameters()).dtype == torch.float64


@pytest.mark.parametrize("distance", DISTANCES)
def test_under_autocast_features_are_coarse_and_distances_exact(distance):
    loss, (output, target) = ImpactLoss(Pyramid(2), "11", distance), _pair(2, 1, 16, 16)
    expected = loss(output, target)
    output.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(output, target)
    value.backward()
    assert value.dtype == torch.float32
    assert output.grad is not None
    assert output.grad.isfinite().all()
    torch.testing.assert_close(value, expected, rtol=0.05, atol=0.01)


def test_integers_and_half_precision_images_are_seen_in_the_models_precision():
    output, target = (images.mul(100).round() for images in _pair(1, 1, 6, 6))
    loss = ImpactLoss(Pyramid(2), "11")
    for dtype in (torch.int16, torch.float16, torch.float64):
        assert torch.equal(loss(output, target.to(dtype)), loss(output, target))


def test_the_same_call_gives_the_same_bytes(tmp_path):
    mind = export_mind(tmp_path / "mind.pt", 1, 1, 3)
    results = []
    for _ in range(2):
        loss = ImpactLoss([mind, Pyramid(3)], ["1", "11"], ["L1", "NCC", "L2"], subset=3)
        output, target = _pair(2, 1, 10, 9, 8)
        value = loss(output.requires_grad_(), target)
        value.backward()
        results.append((value.detach(), output.grad))
    assert all(torch.equal(a, b) for a, b in zip(*results))


def test_what_it_prints_and_the_example_in_its_docstring():
    assert "Pyramid 11; 1 L2, 1 L2" in repr(ImpactLoss(Pyramid(2), "11"))
    result = doctest.testmod(loss_module)
    assert result.attempted > 0
    assert result.failed == 0
