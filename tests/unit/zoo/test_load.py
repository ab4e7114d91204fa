"""Loading: what is refused, what is passed, and what errors say."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from elastix_impact.errors import ModelError
from elastix_impact.zoo.export.mind import export_mind
from elastix_impact.zoo.load import load_model

Export = Callable[[nn.Module], Path]
STATS, DIRECTION = torch.tensor([0.0, 1.0, 0.5, 0.2]), torch.eye(3, dtype=torch.int64)


class TakesTwo(nn.Module):
    def forward(self, x: Tensor, nb_layers: Tensor) -> list[Tensor]:
        return [x * int(nb_layers), x]


class CountsLayers(nn.Module):
    """As many layers as it is asked for, each filled with that number."""

    def forward(self, x: Tensor, nb_layers: Tensor) -> list[Tensor]:
        return [x + int(nb_layers) for _ in range(int(nb_layers))]


class ThreeConvolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.net(x)]


class TakesThree(nn.Module):
    def forward(self, x: Tensor, nb_layers: Tensor, stats: Tensor) -> list[Tensor]:
        return [x - stats[0] + stats[1] * int(nb_layers)]


class TakesFive(nn.Module):
    def forward(self, x: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> list[Tensor]:
        return [x]


class TakesNumber(nn.Module):
    def forward(self, x: Tensor, layers: int) -> list[Tensor]:
        return [x * layers]


class GivesTensor(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


class GivesTuple(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.double(), x + 1


class WantsColour(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.first(x)]


class Greedy(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [torch.zeros(1 << 20, 1 << 20, 1 << 12)]


def test_passes_only_what_the_schema_takes(export: Export) -> None:
    x = torch.rand(1, 1, 4, 4)
    first, second = load_model(export(TakesTwo()))(x, 3, STATS, DIRECTION)
    assert torch.equal(first, 3 * x)
    assert torch.equal(second, x)
    (third,) = load_model(export(TakesThree()))(x, 2, STATS, DIRECTION)
    assert torch.equal(third, x + 2)


def test_a_tuple_is_a_list_and_results_are_float32(export: Export) -> None:
    layers = load_model(export(GivesTuple()))(torch.rand(1, 1, 4, 4), 2, STATS, DIRECTION)
    assert [layer.dtype for layer in layers] == [torch.float32, torch.float32]


@pytest.mark.parametrize("module", [TakesFive(), TakesNumber()])
def test_other_signatures_are_refused(export: Export, module: nn.Module) -> None:
    with pytest.raises(ModelError, match="one to four tensors"):
        load_model(export(module))


def test_a_single_tensor_is_refused_with_a_remedy(export: Export) -> None:
    with pytest.raises(ModelError, match=r"returns Tensor.*return \[features\]"):
        load_model(export(GivesTensor()))(torch.rand(1, 1, 4, 4), 1, STATS, DIRECTION)


def test_wrong_channels_name_the_parameter(export: Export) -> None:
    with pytest.raises(ModelError, match=r"1x1x8x8.*3 channels.*ImpactNumberOfChannels") as caught:
        load_model(export(WantsColour()))(torch.rand(1, 1, 8, 8), 1, STATS, DIRECTION)
    assert "Traceback" not in str(caught.value)


def test_wrong_dimension_names_the_parameter(export: Export) -> None:
    with pytest.raises(ModelError, match="ImpactDimension"):
        load_model(export(WantsColour()))(torch.rand(1, 3, 8, 8, 8), 1, STATS, DIRECTION)


def test_no_memory_names_the_remedy(export: Export) -> None:
    with pytest.raises(ModelError, match=r"memory ran out on cpu.*ImpactPatchSize"):
        load_model(export(Greedy()))(torch.rand(1, 1, 4, 4), 1, STATS, DIRECTION)


def test_weights_are_frozen_and_the_input_stays_differentiable(export: Export) -> None:
    model = load_model(export(WantsColour()))
    assert not any(p.requires_grad for p in model.module.parameters())
    x = torch.rand(1, 3, 8, 8, requires_grad=True)
    model(x, 1, STATS, DIRECTION)[0].sum().backward()
    assert x.grad is not None


def test_the_same_file_is_read_once_until_it_changes(export: Export) -> None:
    path = export(TakesTwo())
    first = load_model(path)
    assert load_model(path.parent / "." / path.name) is first
    os.utime(path, ns=(1, 1))
    assert load_model(path) is not first


def test_mixed_precision_changes_products_a_little_and_nothing_else(export: Export) -> None:
    torch.manual_seed(0)
    path = export(ThreeConvolutions())
    exact, mixed = load_model(path), load_model(path, mixed_precision=True)
    x = torch.rand(2, 1, 9, 9, requires_grad=True)
    (a,), (b,) = exact(x, 1, STATS, DIRECTION), mixed(x, 1, STATS, DIRECTION)
    assert (exact.mixed_precision, mixed.mixed_precision) == (None, torch.bfloat16)
    assert a.dtype == b.dtype == torch.float32
    assert 1e-5 < ((a - b).norm() / a.norm()).item() < 0.02
    (gradient,) = torch.autograd.grad(b.sum(), x)
    assert gradient.dtype == torch.float32
    assert all(p.dtype == torch.float32 for p in mixed.module.parameters())


def test_the_model_is_told_to_stop_behind_the_last_selected_layer(export: Export) -> None:
    model = load_model(export(CountsLayers()))
    first, second = model.selected_layers(torch.zeros(1, 1, 4, 4), (False, True, True, False), STATS, DIRECTION)
    assert (first[0, 0, 0, 0].item(), second[0, 0, 0, 0].item()) == (3.0, 3.0)


def _write_state_dict(path: Path) -> None:
    torch.save(WantsColour().state_dict(), path)


def _write_truncated(path: Path) -> None:
    whole = export_mind(path, 1, 1, 3).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _write_flipped(path: Path, member: str) -> None:
    torch.jit.script(WantsColour().eval()).save(str(path))
    with zipfile.ZipFile(path) as archive:
        info = next(info for info in archive.infolist() if info.filename.endswith(member))
    data = bytearray(path.read_bytes())
    data[info.header_offset + 200] ^= 0xFF
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: None, "no such model file"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_bytes(b"hello"), "is not a TorchScript file"),
        (lambda path: path.write_bytes(b"<!DOCTYPE html><html>"), "web page"),
        (lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "LFS pointer"),
        (_write_state_dict, "no TorchScript code.*export it as TorchScript"),
        (_write_truncated, "truncated"),
        (lambda path: _write_flipped(path, "data/0"), "damaged: .*data/0"),
        (lambda path: _write_flipped(path, "test_load.py"), "damaged"),
    ],
)
def test_what_is_no_model_is_called_by_its_name(tmp_path: Path, write: Callable[[Path], object], words: str) -> None:
    path = tmp_path / "model.pt"
    write(path)
    with pytest.raises(ModelError, match=words) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
