"""Where a layer's voxels lie, against models whose receptive field is known on paper."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from elastix_impact.errors import ModelError
from elastix_impact.zoo.inspect import LayerGeometry, inspect_model, layer_geometry
from elastix_impact.zoo.load import load_model

Export = Callable[[nn.Module], Path]


class Chain(nn.Module):
    """Modules in a row; every one gives a layer."""

    def __init__(self, *steps: nn.Module) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def forward(self, x: Tensor) -> list[Tensor]:
        layers: list[Tensor] = []
        for step in self.steps:
            x = step(x)
            layers.append(x)
        return layers


class Tokens(nn.Module):
    """A patch embedding of 14 voxels that insists on multiples of 14, and a class token."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 14, stride=14)

    def forward(self, x: Tensor) -> list[Tensor]:
        if x.size(2) % 14 != 0 or x.size(3) % 14 != 0:
            raise RuntimeError("sizes must be multiples of 14")
        x = self.embed(x)
        return [x, x.mean([2, 3], keepdim=True)]


class Rounded(nn.Module):
    """Not differentiable, at half resolution."""

    def forward(self, x: Tensor) -> list[Tensor]:
        return [torch.max_pool2d(x.detach().round(), 2)]


class Noisy(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x + torch.rand_like(x)]


class OwnRange(nn.Module):
    """Normalises with its own minimum and maximum: two far voxels matter."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv3d(1, 4, 3, padding=1)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.first((x - x.min()) / (x.max() - x.min()))]


def _geometry(path: Path, dimension: int, channels: int = 1, layers: int = 9) -> tuple[LayerGeometry, ...]:
    return layer_geometry(load_model(path), dimension, channels, layers)


def test_strided_convolutions_stay_on_voxel_zero(export: Export) -> None:
    first, second = _geometry(export(Chain(nn.Conv3d(1, 4, 3, 2, 1), nn.Conv3d(4, 4, 3, 2, 1))), 3)
    assert (first.stride, first.offset, first.receptive_field) == ((2, 2, 2), (0, 0, 0), (3, 3, 3))
    assert (second.stride, second.offset, second.receptive_field) == ((4, 4, 4), (0, 0, 0), (7, 7, 7))
    assert first.measured
    assert not first.global_context


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.AvgPool2d(2)])
def test_pooling_shifts_by_half_a_voxel(export: Export, pool: nn.Module) -> None:
    layers = _geometry(export(Chain(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), pool, pool)), 2)
    assert [layer.offset for layer in layers] == [(0, 0), (0, 0), (0.5, 0.5), (1.5, 1.5)]
    assert [layer.stride for layer in layers] == [(1, 1), (1, 1), (2, 2), (4, 4)]
    assert [layer.receptive_field for layer in layers] == [(3, 3), (3, 3), (4, 4), (6, 6)]


def test_an_unpadded_convolution_shifts_by_its_radius(export: Export) -> None:
    (layer,) = _geometry(export(Chain(nn.Conv3d(1, 4, 5))), 3)
    assert (layer.offset, layer.receptive_field) == ((2, 2, 2), (5, 5, 5))


def test_anisotropic_kernels_are_ordered_x_y_z(export: Export) -> None:
    step = nn.Conv3d(1, 4, (1, 3, 5), stride=(1, 2, 4), padding=(0, 1, 2))
    (layer,) = _geometry(export(Chain(step)), 3)
    assert layer.stride == (4, 2, 1)
    assert layer.receptive_field == (5, 3, 1)
    assert layer.offset == (0, 0, 0)


def test_upsampling_has_a_stride_below_one(export: Export) -> None:
    (layer,) = _geometry(export(Chain(nn.Upsample(scale_factor=2))), 2)
    assert layer.stride == (0.5, 0.5)


def test_a_wide_field_is_found_by_a_longer_probe(export: Export) -> None:
    steps = [nn.Conv2d(2 if k else 1, 2, 3, padding=d, dilation=d) for k, d in enumerate((1, 8, 32))]
    layers = _geometry(export(Chain(*steps)), 2)
    assert [layer.receptive_field for layer in layers] == [(3, 3), (19, 19), (83, 83)]
    assert all(layer.offset == (0, 0) for layer in layers)


@pytest.mark.parametrize("stats", [nn.InstanceNorm3d(4), nn.GroupNorm(2, 4)])
def test_a_norm_is_context_and_not_receptive_field(export: Export, stats: nn.Module) -> None:
    steps = (nn.Conv3d(1, 4, 3, padding=1), stats, nn.Conv3d(4, 4, 3, 2, 1))
    before, _, after = _geometry(export(Chain(*steps)), 3)
    assert not before.global_context
    assert after.global_context
    assert (after.receptive_field, after.offset) == ((5, 5, 5), (0, 0, 0))


def test_an_own_range_is_context_too(export: Export) -> None:
    (layer,) = _geometry(export(OwnRange()), 3)
    assert layer.global_context
    assert (layer.receptive_field, layer.offset) == ((3, 3, 3), (0, 0, 0))


def test_tokens_find_their_own_sizes(export: Export) -> None:
    patches, token = _geometry(export(Tokens()), 2, channels=3)
    assert (patches.stride, patches.offset, patches.receptive_field) == ((14, 14), (6.5, 6.5), (14, 14))
    assert token.fixed_size == (1, 1)
    assert patches.on_tiles((28, 28)) is patches
    assert token.on_tiles((28, 42)).stride == (28, 42)
    assert token.on_tiles((28, 42)).offset == (13.5, 20.5)


def test_what_is_not_differentiable_is_assumed_and_flagged(export: Export) -> None:
    path = export(Rounded())
    (layer,) = _geometry(path, 2)
    assert (layer.measured, layer.stride, layer.offset) == (False, (2, 2), (0.5, 0.5))
    assert not inspect_model(path).differentiable


def test_a_layer_voxel_follows_its_input(export: Export) -> None:
    """Moving a bright voxel by one stride moves the response by one layer voxel, at the place foretold."""
    path = export(Chain(nn.Conv2d(1, 1, 4, stride=2, padding=1, bias=False)))
    model = load_model(path)
    (layer,) = layer_geometry(model, 2, 1, 1)
    with torch.no_grad():
        next(model.module.parameters()).fill_(1.0)
    image = torch.zeros(1, 1, 32, 32)
    image[0, 0, 12, 17] = 1
    (response,) = model(image, 1, torch.zeros(4), torch.eye(2, dtype=torch.int64))
    places = response[0, 0].nonzero().float().mean(0).flip(0)
    found = torch.tensor(layer.offset) + torch.tensor(layer.stride) * places
    assert (found - torch.tensor([17.0, 12.0])).abs().max() <= layer.stride[0] / 2


def test_the_answer_is_remembered(export: Export) -> None:
    path = export(Chain(nn.Conv3d(1, 4, 3, padding=1)))
    assert _geometry(path, 3) is _geometry(path, 3)


def test_report(export: Export) -> None:
    report = inspect_model(export(Tokens()))
    assert (report.dimension, report.channels, report.number_of_inputs, report.kind) == (2, 3, 1, "script")
    assert report.number_of_parameters == 3 * 8 * 14 * 14 + 8
    assert report.file_size == Path(report.path).stat().st_size
    assert len(report.sha256) == 64
    assert report.differentiable
    assert report.deterministic
    assert not inspect_model(export(Noisy())).deterministic


def test_a_trace_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "traced.pt"
    traced = torch.jit.trace(Chain(nn.Conv3d(1, 2, 3)).eval(), torch.zeros(1, 1, 8, 8, 8), strict=False)
    traced.save(str(path))
    assert inspect_model(path).kind == "trace"


def test_a_model_of_other_inputs_is_refused(export: Export) -> None:
    with pytest.raises(ModelError, match="neither 2-D nor 3-D"):
        inspect_model(export(Chain(nn.Conv3d(7, 2, 3))))


@pytest.mark.shared
def test_encoder_with_instance_norms_in_under_a_second(shared: Path) -> None:
    model = load_model(shared / "golden" / "models" / "Encoder_2_Layers.pt")
    start = time.process_time()
    first, second = layer_geometry(model, 3, 1, 2)
    assert time.process_time() - start < 5  # 0.4 s alone; the machine of the tests may be busy
    assert (first.channels, first.stride, first.offset) == (32, (1, 1, 1), (0, 0, 0))
    assert (second.channels, second.stride, second.offset) == (64, (2, 2, 2), (0, 0, 0))
    assert (first.receptive_field, second.receptive_field) == ((5, 5, 5), (11, 11, 11))
    assert first.global_context
    assert second.global_context


@pytest.mark.shared
def test_the_published_old_mind_is_found_one_voxel_off(shared: Path) -> None:
    """Its map is two voxels larger than the image: voxel k describes input voxel k - 1."""
    (layer,) = _geometry(shared / "data" / "weights" / "elastix-testing" / "R1D2_2D.pt", 2)
    assert (layer.offset, layer.stride, layer.receptive_field) == ((-1, -1), (1, 1), (7, 7))
