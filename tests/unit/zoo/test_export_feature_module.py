"""Any network in Python as a model file: its chosen submodules' outputs, early stop, and what is refused."""

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastix_impact.errors import InputError, ModelError
from elastix_impact.zoo.export.feature_module import export_feature_model
from elastix_impact.zoo.export.normalization import ZScore
from elastix_impact.zoo.inspect import inspect_model
from elastix_impact.zoo.load import load_model

UNKNOWN = torch.tensor([])


def _layers(path: Path, x: Tensor, nb_layers: int = 99, direction: Tensor = UNKNOWN) -> list[Tensor]:
    return load_model(path)(x, nb_layers, UNKNOWN, direction)


class Residual(nn.Module):
    """A 2-D residual network with a skip, as most are written: functions, in-place activations, sizes of skips."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.down = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.dropout = nn.Dropout(0.5)
        self.block = nn.ModuleDict({"a": nn.Conv2d(16, 16, 3, padding=1), "b": nn.Conv2d(16, 16, 1)})
        self.head = nn.Conv2d(24, 3, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.stem(x)
        deep = F.relu_(self.dropout(self.down(fine)))
        deep = deep + self.block["b"](F.gelu(self.block["a"](deep)))
        up = F.interpolate(deep, size=fine.shape[2:], mode="bilinear")
        self.pool(deep)
        return self.head(torch.cat([up, fine], 1))


@pytest.mark.parametrize("size", [(32, 32), (50, 71)])
def test_layers_are_what_the_submodules_give_out(tmp_path: Path, size: tuple[int, int]) -> None:
    network = Residual().eval()
    names = ["stem", "block.b", "output", "stem.1"]
    path = export_feature_model(network, tmp_path / "net.pt", layers=names, dimension=2, normalization=ZScore())
    x = 300 + 100 * torch.randn(1, 1, *size)
    expected: dict[str, Tensor] = {}
    for name in names:
        module = network.get_submodule("" if name == "output" else name)
        module.register_forward_hook(lambda m, i, o, name=name: expected.update({name: o.clone()}))
    network(ZScore()(x, UNKNOWN))
    found = _layers(path, x)
    for layer, name in zip(found, ["stem.1", "stem", "block.b", "output"], strict=True):  # as they run
        torch.testing.assert_close(layer, expected[name], rtol=1e-5, atol=1e-5)


def test_what_lies_behind_the_last_wanted_layer_is_not_computed(tmp_path: Path) -> None:
    """The second layer needs 32 voxels per axis, the first takes fewer."""
    network = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.Conv3d(4, 4, 20))
    path = export_feature_model(network, tmp_path / "net.pt", layers=["0", "1"], dimension=3)
    assert _layers(path, torch.rand(1, 1, 8, 8, 8), 1)[0].shape == (1, 4, 8, 8, 8)
    with pytest.raises(ModelError):
        _layers(path, torch.rand(1, 1, 8, 8, 8), 2)


def test_weights_are_stored_once_however_many_layers(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv3d(1, 64, 3, padding=1), nn.Conv3d(64, 64, 3, padding=1), nn.Conv3d(64, 1, 1))
    one = export_feature_model(network, tmp_path / "one.pt", layers=["2"], dimension=3)
    three = export_feature_model(network, tmp_path / "three.pt", layers=["0", "1", "2"], dimension=3)
    assert three.stat().st_size < 1.1 * one.stat().st_size


def test_the_network_stays_as_it_was(tmp_path: Path) -> None:
    network = Residual().double().train()
    network.head.weight.requires_grad_(False)
    before = copy.deepcopy(network.state_dict())
    export_feature_model(network, tmp_path / "net.pt", layers=["stem"], dimension=2)
    assert network.training
    assert network.dropout.training
    assert not network.head.weight.requires_grad
    assert network.down.weight.requires_grad
    assert not any(module._forward_hooks for module in network.modules())
    for name, weight in network.state_dict().items():
        assert torch.equal(weight, before[name])


def test_inspect_finds_the_layers_where_they_lie(tmp_path: Path) -> None:
    path = export_feature_model(Residual(3), tmp_path / "net.pt", layers=["stem", "down"], dimension=2, channels=3)
    report = inspect_model(path)
    assert (report.dimension, report.channels, report.differentiable) == (2, 3, True)
    assert [layer.channels for layer in report.layers] == [8, 16]
    assert [layer.stride for layer in report.layers] == [(1, 1), (2, 2)]
    assert [layer.offset for layer in report.layers] == [(0, 0), (0, 0)]
    assert [layer.receptive_field for layer in report.layers] == [(3, 3), (5, 5)]


def test_images_are_turned_as_the_training_was(tmp_path: Path) -> None:
    network = nn.Conv3d(1, 2, 3, padding=1)
    path = export_feature_model(network, tmp_path / "n.pt", layers=[""], dimension=3, orientation="lps")
    x = torch.rand(1, 1, 8, 9, 10)
    cosines = torch.tensor([[0, -1, 0], [1, 0, 0], [0, 0, 1]])  # its x axis runs along y, its y axis against x
    as_seen = x.transpose(3, 4).flip(4)
    torch.testing.assert_close(_layers(path, x, 1, cosines)[0], network(as_seen).flip(4).transpose(3, 4))


class BySize(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.shape[2] > 40 else x


class ByValue(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if float(x.mean()) > 0 else x


class Noisy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


@pytest.mark.parametrize("module", [BySize, ByValue, Noisy])
def test_steps_that_depend_on_the_image_are_refused(tmp_path: Path, module: type[nn.Module]) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), module())
    with pytest.raises(ModelError, match=r"is not the network for an image of .* tensor operations"):
        export_feature_model(network, tmp_path / "net.pt", layers=["1"], dimension=2)
    assert not (tmp_path / "net.pt").exists()


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.unused = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.conv(x))


@pytest.mark.parametrize(
    ("network", "layers", "said"),
    [
        (Residual(), ["block.c"], r"no submodule 'block\.c'.*'block\.[ab]'"),
        (Residual(), ["pool", "block"], r"'block' never runs"),
        (Twice(), ["conv"], "'conv' runs 2 times"),
        (Twice(), ["unused"], "'unused' never runs"),
        (nn.Sequential(nn.Flatten(2), nn.Identity()), ["1"], r"shape \(1, 1, 1024\)"),
        (nn.Sequential(nn.Conv2d(5, 2, 1)), ["0"], "takes no image of .* 1 channels"),
        (torch.jit.script(nn.Conv2d(1, 2, 1)), [""], "TorchScript already"),
        (nn.Sequential(nn.Conv2d(1, 2, 1), nn.LayerNorm([32, 32])), ["1"], "images of 32x32 voxels, not 32x64"),
    ],
)
def test_what_cant_be_exported_says_why(tmp_path: Path, network: nn.Module, layers: list[str], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        export_feature_model(network, tmp_path / "net.pt", layers=layers, dimension=2)
    assert not list(tmp_path.iterdir())


def test_wrong_arguments(tmp_path: Path) -> None:
    for arguments in ({"dimension": 4}, {"layers": []}, {"orientation": "ras"}, {"example_size": (8,)}):
        with pytest.raises(InputError):
            export_feature_model(
                nn.Conv2d(1, 1, 1), tmp_path / "net.pt", **{"layers": [""], "dimension": 2, **arguments}
            )
