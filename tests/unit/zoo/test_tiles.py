"""Tiles of a whole image when memory is short: as good as one pass, and said so."""

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from elastix_impact.errors import MemoryShortError
from elastix_impact.zoo import run
from elastix_impact.zoo.load import load_model
from elastix_impact.zoo.memory import bytes_per_voxel, free_memory
from elastix_impact.zoo.tiles import halved

Export = Callable[[nn.Module], Path]


class Encoder(nn.Module):
    """Two layers, the second with stride 2; with or without instance norms."""

    def __init__(self, dimension: int, *, normalised: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        convolution = nn.Conv3d if dimension == 3 else nn.Conv2d
        norm = (nn.InstanceNorm3d if dimension == 3 else nn.InstanceNorm2d)(4)
        self.first = nn.Sequential(
            convolution(1, 4, 3, 1, 1), norm if normalised else nn.Identity(), nn.ReLU(), convolution(4, 4, 3, 1, 1)
        )
        self.second = nn.Sequential(convolution(4, 6, 3, 2, 1), nn.ReLU(), convolution(6, 5, 3, 1, 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        first = self.first(x)
        return [first, self.second(first)]


def _extract(path: Path, volume: Tensor, dimension: int | None = None) -> list[Tensor]:
    return run.extract_features(
        load_model(path), volume, model_dimension=dimension or volume.dim(), channels=1,
        patch_size=(0,) * volume.dim(), layers_mask=(True, True), stats=torch.tensor([0.0, 1.0, 0.5, 0.3]),
        direction=torch.eye(volume.dim(), dtype=torch.int64),
    )  # fmt: skip


@pytest.fixture
def short_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, float], None]:
    """Pretends that memory is free for so many voxels."""

    def pretend(path: Path, dimension: int, voxels: float) -> None:
        needed = bytes_per_voxel(load_model(path), dimension, 1, 2)
        monkeypatch.setattr(run, "LARGE_IMAGE_VOXELS", 1)
        monkeypatch.setattr(run, "free_memory", lambda _: needed * voxels)

    return pretend


@pytest.mark.parametrize("shape", [(70, 61, 55), (49, 48, 83), (121, 90)])
def test_overlapping_tiles_agree_with_one_pass(export: Export, short_memory, shape: tuple[int, ...]) -> None:
    path, volume = export(Encoder(len(shape))), torch.rand(shape)
    whole = _extract(path, volume)
    short_memory(path, len(shape), volume.numel() / 5)
    with pytest.warns(UserWarning, match="overlapping tiles of at most .* the features are the same"):
        tiled = _extract(path, volume)
    for a, b in zip(whole, tiled, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_a_model_that_looks_at_everything_is_said_to_differ(export: Export, short_memory) -> None:
    path, volume = export(Encoder(3, normalised=True)), torch.rand(64, 60, 52)
    whole = _extract(path, volume)
    short_memory(path, 3, volume.numel() / 3)
    with pytest.warns(UserWarning, match="so the features differ a little"):
        tiled = _extract(path, volume)
    for a, b in zip(whole, tiled, strict=True):
        assert a.shape == b.shape
        assert 1e-6 < (a - b).norm() / a.norm() < 0.2


def test_tiles_shrink_until_they_fit_and_one_warning_is_given(export: Export, monkeypatch) -> None:
    path, volume = export(Encoder(3)), torch.rand(64, 60, 52)
    whole = _extract(path, volume)
    seen: list[int] = []
    exact = run._Call.selected_layers

    def limited(call: run._Call, tile: Tensor) -> list[Tensor]:
        seen.append(tile.numel())
        if tile.numel() > 100_000:
            raise MemoryShortError("memory ran out", where="model.pt")
        return exact(call, tile)

    monkeypatch.setattr(run._Call, "selected_layers", limited)
    with pytest.warns(UserWarning, match="overlapping tiles") as caught:
        tiled = _extract(path, volume)
    assert len(caught) == 1
    assert max(seen) > 100_000 > seen[-1]
    for a, b in zip(whole, tiled, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_slices_are_tiled_too(export: Export, short_memory) -> None:
    path, volume = export(Encoder(2)), torch.rand(2, 90, 101)
    whole = _extract(path, volume, dimension=2)
    short_memory(path, 2, volume[0].numel() / 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tiled = _extract(path, volume, dimension=2)
    for a, b in zip(whole, tiled, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_memory_that_never_suffices_is_an_error_with_a_remedy(export: Export, monkeypatch) -> None:
    def never(_call: run._Call, _tile: Tensor) -> list[Tensor]:
        raise MemoryShortError("memory ran out", where="model.pt", remedy="Set ImpactPatchSize to tiles")

    path = export(Encoder(3))
    monkeypatch.setattr(run._Call, "selected_layers", never)
    with pytest.warns(UserWarning, match="overlapping"), pytest.raises(MemoryShortError, match="Set ImpactPatchSize"):
        _extract(path, torch.rand(50, 50, 50))


def test_a_tile_is_halved_along_its_longest_axis_down_to_a_limit() -> None:
    assert halved((100, 301, 40)) == (100, 151, 40)
    assert halved((40, 30, 47)) is None


def test_the_memory_of_a_model_is_that_of_its_largest_operation(export: Export) -> None:
    """4 channels in and out in float32, and as much again as workspace."""
    assert bytes_per_voxel(load_model(export(Encoder(3))), 3, 1, 2) == pytest.approx(2 * (4 + 4) * 4, rel=0.02)
    free = free_memory(torch.device("cpu"))
    assert free is None or free > 1 << 20
