"""Features of whole images: passes, tiles, slices, masks."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from elastix_impact.errors import ModelError
from elastix_impact.zoo.export.mind import export_mind
from elastix_impact.zoo.load import load_model
from elastix_impact.zoo.run import extract_features

Export = Callable[[nn.Module], Path]


class Pointwise(nn.Module):
    """Layers: the sum over channels; its square; the same pooled by two."""

    def forward(self, x: Tensor, nb_layers: Tensor, stats: Tensor) -> list[Tensor]:
        total = x.sum(1, keepdim=True) - stats[0]
        pooled = torch.max_pool3d(total, 2) if x.dim() == 5 else torch.max_pool2d(total, 2)
        return [total, torch.cat([total, total.square()], 1), pooled][: int(nb_layers)]


class ShapeSeen(nn.Module):
    """The tile's shape, written into every voxel: (z, )y, x."""

    def forward(self, x: Tensor) -> list[Tensor]:
        sizes = torch.tensor(x.size()[2:], dtype=x.dtype)
        while sizes.dim() < x.dim() - 1:
            sizes = sizes.unsqueeze(-1)
        return [sizes.unsqueeze(0) * torch.ones_like(x)]


class InPlace(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        x += 1
        return [x]


class Flat(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x.flatten(1)]


def _extract(
    path: Path, volume: Tensor, mask: str, *, dimension: int | None = None, **settings: object
) -> list[Tensor]:
    values = {"channels": 1, "patch_size": (0,) * volume.dim()} | settings
    return extract_features(
        load_model(path),
        volume,
        model_dimension=dimension or volume.dim(),
        layers_mask=tuple(c == "1" for c in mask),
        stats=torch.tensor([0.5, 1.0, 0.0, 0.0]),
        direction=torch.eye(volume.dim(), dtype=torch.int64),
        **values,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("shape", [(9, 10), (6, 9, 10)])
def test_selected_layers_of_the_whole_image(export: Export, shape: tuple[int, ...]) -> None:
    volume = torch.rand(shape)
    first, pooled = _extract(export(Pointwise()), volume, "101")
    torch.testing.assert_close(first, (volume - 0.5)[None])
    assert pooled.shape == (1, *(n // 2 for n in shape))


def test_channels_are_repeated(export: Export) -> None:
    volume = torch.rand(6, 9, 10)
    (total,) = _extract(export(Pointwise()), volume, "1", channels=3)
    torch.testing.assert_close(total, (3 * volume - 0.5)[None])


@pytest.mark.parametrize("patch_size", [(4, 0, 0), (4, 3, 2), (16, 16, 16), (10, 9, 6)])
def test_tiles_of_a_pointwise_model_join_to_the_whole(export: Export, patch_size: tuple[int, ...]) -> None:
    path, volume = export(Pointwise()), torch.rand(6, 9, 10)
    whole, tiled = (_extract(path, volume, "11", patch_size=size) for size in ((0, 0, 0), patch_size))
    for a, b in zip(whole, tiled):
        assert torch.equal(a, b)


def test_strided_layers_join_too(export: Export) -> None:
    path, volume = export(Pointwise()), 1 + torch.rand(8, 8, 10)
    whole, tiled = (_extract(path, volume, "001", patch_size=size) for size in ((0, 0, 0), (4, 2, 8)))
    assert torch.equal(whole[0], tiled[0])


def test_a_strided_layer_of_an_odd_image_keeps_the_last_voxel(export: Export) -> None:
    (tiled,) = _extract(export(Pointwise()), 1 + torch.rand(8, 8, 9), "001", patch_size=(4, 4, 4))
    assert tiled.shape == (1, 4, 4, 5)


def test_tiles_are_filled_with_zeros(export: Export) -> None:
    (pooled,) = _extract(export(Pointwise()), -torch.ones(4, 4, 5), "001", patch_size=(4, 4, 4))
    assert pooled[0, 0, 0].tolist() == [-1.5, -1.5, -0.5]  # the last voxel saw a zero beyond the image


def test_patch_size_is_ordered_x_y_z(export: Export) -> None:
    (seen,) = _extract(export(ShapeSeen()), torch.rand(6, 9, 10), "1", patch_size=(5, 3, 2))
    assert seen[:, 0, 0, 0].tolist() == [2, 3, 5]


def test_a_2d_model_sees_each_slice_by_itself(tmp_path: Path) -> None:
    """MIND's typical variance is a mean over the batch, so slices must not share one."""
    path = export_mind(tmp_path / "mind.pt", 1, 1, 2)
    volume = torch.rand(5, 9, 10) * torch.tensor([1e-4, 1, 1, 1, 1e3]).reshape(5, 1, 1)
    (stack,) = _extract(path, volume, "1", dimension=2, patch_size=(0, 0))
    assert stack.shape == (4, 5, 9, 10)
    for position, image in enumerate(volume):
        assert torch.equal(stack[:, position], _extract(path, image, "1")[0])


def test_a_2d_model_on_a_volume_in_tiles(export: Export) -> None:
    volume = torch.rand(4, 9, 10)
    (stack,) = _extract(export(Pointwise()), volume, "1", dimension=2, patch_size=(4, 5))
    torch.testing.assert_close(stack, (volume - 0.5)[None])


def test_the_image_is_not_changed(export: Export) -> None:
    volume = torch.rand(4, 5, 6)
    before = volume.clone()
    _extract(export(InPlace()), volume, "1")
    assert torch.equal(volume, before)


def test_features_can_be_used_in_autograd(export: Export) -> None:
    (features,) = _extract(export(Pointwise()), torch.rand(4, 5, 6), "1")
    weight = torch.ones((), requires_grad=True)
    (features * weight).sum().backward()
    assert weight.grad is not None


@pytest.mark.parametrize("mask", ["1111", "11111"])
def test_a_mask_of_another_length_gives_both_numbers(export: Export, mask: str) -> None:
    with pytest.raises(ModelError, match=f"returned 3 layers, the layers mask has {len(mask)} characters"):
        _extract(export(Pointwise()), torch.rand(4, 5, 6), mask)


def test_a_mask_longer_than_a_model_without_nb_layers(export: Export) -> None:
    with pytest.raises(ModelError, match="returned 1 layers, the layers mask has 2"):
        _extract(export(InPlace()), torch.rand(4, 5, 6), "01")


def test_a_3d_model_on_a_slice_is_refused(export: Export) -> None:
    with pytest.raises(ModelError, match="3-D model can't see a 2-D image"):
        _extract(export(InPlace()), torch.rand(4, 5), "1", dimension=3)


def test_a_layer_without_spatial_axes_is_refused(export: Export) -> None:
    with pytest.raises(ModelError, match="a layer has shape"):
        _extract(export(Flat()), torch.rand(4, 5), "1")


def test_tiles_that_are_no_multiple_of_the_stride_are_refused(export: Export) -> None:
    with pytest.raises(ModelError, match="joined tiles would be distorted"):
        _extract(export(Pointwise()), torch.rand(8, 8, 8), "001", patch_size=(5, 4, 4))


def test_features_that_are_not_finite_are_refused(export: Export) -> None:
    volume = torch.rand(4, 5, 6)
    volume[1, 2, 3] = torch.nan
    with pytest.raises(ModelError, match="not finite"):
        _extract(export(Pointwise()), volume, "1")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("mixed", "tolerance"), [(False, 1e-5), (True, 1e-1)])
def test_a_gpu_agrees_with_the_cpu(tmp_path: Path, mixed: bool, tolerance: float) -> None:
    path, volume = export_mind(tmp_path / "mind.pt", 1, 2, 3), torch.rand(12, 13, 14)
    settings = {
        "model_dimension": 3,
        "channels": 1,
        "patch_size": (8, 8, 8),
        "layers_mask": (True,),
        "stats": torch.tensor([0.0, 1.0, 0.5, 0.3]),
        "direction": torch.eye(3, dtype=torch.int64),
    }
    (expected,) = extract_features(load_model(path), volume, **settings)
    (found,) = extract_features(load_model(path, "cuda", mixed_precision=mixed), volume.cuda(), **settings)
    assert found.dtype == torch.float32
    assert found.is_cuda
    assert (found.cpu() - expected).abs().mean() < tolerance
