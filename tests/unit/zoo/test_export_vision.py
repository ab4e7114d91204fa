"""SAM 2.1, DINOv2 and Anatomix from the layouts in which they are published; the networks of timm are the oracle."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from elastix_impact.errors import InputError, ModelError
from elastix_impact.zoo.export.anatomix import export_anatomix
from elastix_impact.zoo.export.dinov2 import export_dinov2
from elastix_impact.zoo.export.normalization import ChannelStandard, UnitRange
from elastix_impact.zoo.export.sam import export_sam
from elastix_impact.zoo.load import load_model
from published_weights import anatomix, dinov2, hiera, of_dinov2_authors, of_sam_authors, saved

UNKNOWN = torch.tensor([])


def _layers(path: Path, x: Tensor, nb_layers: int = 99) -> list[Tensor]:
    return load_model(path)(x, nb_layers, UNKNOWN, UNKNOWN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("published")


@pytest.fixture(scope="module")
def sam(folder: Path) -> Path:
    return export_sam(saved(of_sam_authors(hiera()), folder / "sam2.1_hiera_tiny.pt"), folder / "SAM.pt")


@pytest.mark.parametrize("size", [(128, 160), (224, 96)])
@torch.no_grad()
def test_sams_layers_are_those_of_timm(sam: Path, size: tuple[int, int]) -> None:
    x = 100 * torch.rand(2, 3, *size)
    expected = hiera().forward_intermediates(ChannelStandard()(x, UNKNOWN), intermediates_only=True)
    found = _layers(sam, x)
    assert [layer.shape[1] for layer in found] == [96, 192, 384, 768]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_sam_takes_timms_own_file_and_small_uneven_patches(sam: Path, folder: Path) -> None:
    pytest.importorskip("safetensors")
    from safetensors.torch import save_file

    save_file(hiera().state_dict(), folder / "model.safetensors")
    again = export_sam(folder / "model.safetensors", folder / "again.pt")
    x = torch.rand(1, 3, 29, 37)
    for ours, theirs in zip(_layers(again, x), _layers(sam, x), strict=True):
        assert torch.equal(ours, theirs)
    assert [tuple(layer.shape[2:]) for layer in _layers(again, x)] == [(8, 10), (4, 5), (2, 2), (1, 1)]


@torch.no_grad()
def test_sam_stops_early(sam: Path) -> None:
    x = torch.rand(1, 3, 64, 64)
    every = _layers(sam, x)
    for wanted in (1, 2, 3):
        some = _layers(sam, x, wanted)
        assert len(some) == wanted
        assert torch.equal(some[-1], every[wanted - 1])
    # 13 pixels suffice for the first layer; the fourth would halve a map of one token
    assert len(_layers(sam, torch.rand(1, 3, 13, 13), 1)) == 1


def test_sams_error_names_the_size_that_fits(folder: Path, sam: Path) -> None:
    with pytest.raises(ModelError, match=r"missing \(blocks\.\d+.*These are the weights of size tiny"):
        export_sam(folder / "sam2.1_hiera_tiny.pt", folder / "never.pt", size="small")
    assert not (folder / "never.pt").exists()
    with pytest.raises(InputError, match="one of tiny, small"):
        export_sam(folder / "sam2.1_hiera_tiny.pt", folder / "never.pt", size="huge")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("size", ["small", "base_plus", "large"])
def test_every_size_of_sam_is_built(folder: Path, size: str) -> None:
    weights = saved(of_sam_authors(hiera(size)), folder / f"{size}.pt")
    path = export_sam(weights, folder / "sizes" / f"{size}.pt", size=size)  # pyright: ignore[reportArgumentType]
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = hiera(size).patch_embed(ChannelStandard()(x, UNKNOWN)).shape[-1]
        assert [layer.shape[1] for layer in _layers(path, x)] == [expected * 2**stage for stage in range(4)]


@pytest.mark.parametrize("registers", [False, True])
@pytest.mark.parametrize("layers", [None, [2, 5, 11]])
@torch.no_grad()
def test_dinov2s_layers_are_those_of_timm(folder: Path, registers: bool, layers: list[int] | None) -> None:
    network = dinov2(registers)
    checkpoint = saved(of_dinov2_authors(network), folder / "dinov2_vits14_pretrain.pth")
    path = export_dinov2(checkpoint, folder / f"dino{registers}{layers is None}.pt", layers=layers)
    for size in ((112, 154), (518, 518)):
        x = torch.rand(1, 3, *size)
        expected = network.forward_intermediates(
            ChannelStandard()(x, UNKNOWN), indices=layers or [11], norm=True, intermediates_only=True
        )
        for ours, theirs in zip(_layers(path, x), expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_dinov2_fills_up_the_last_patch_and_takes_timms_file(folder: Path) -> None:
    path = export_dinov2(saved(dinov2().state_dict(), folder / "timm.pth"), folder / "timm.pt", layers=[0, 3])
    x = torch.rand(1, 3, 30, 50)
    first, second = _layers(path, x)
    assert first.shape == second.shape == (1, 384, 3, 4)
    filled = torch.nn.functional.pad(x, [0, 6, 0, 12], mode="replicate")
    torch.testing.assert_close(_layers(path, filled), [first, second])
    assert torch.equal(_layers(path, x, 1)[0], first)


def test_dinov2s_errors(folder: Path) -> None:
    checkpoint = saved(of_dinov2_authors(dinov2()), folder / "small.pth")
    with pytest.raises(ModelError, match="These are the weights of size small"):
        export_dinov2(checkpoint, folder / "never.pt", size="base")
    with pytest.raises(InputError, match="increasing numbers of blocks from 0 to 11"):
        export_dinov2(checkpoint, folder / "never.pt", layers=[12])
    with pytest.raises(ModelError, match=r"unknown \(image_encoder.*as published"):
        export_dinov2(saved(of_sam_authors(hiera()), folder / "sam.pt"), folder / "never.pt")


@pytest.mark.parametrize("size", [(32, 48, 32), (33, 40, 35), (16, 20, 24)])
@torch.no_grad()
def test_anatomixs_layer_is_that_of_its_u_net(folder: Path, size: tuple[int, int, int]) -> None:
    network = anatomix()
    path = export_anatomix(saved(network.state_dict(), folder / "anatomix.pth"), folder / "Anatomix.pt")
    x = torch.rand(2, 1, *size) * 1000
    ends = [end for axis in reversed(size) for end in (0, max(32, -(-axis // 16) * 16) - axis)]
    scaled = torch.nn.functional.pad(UnitRange()(x, UNKNOWN), ends, mode="replicate")
    expected = network(scaled)[:, :, : size[0], : size[1], : size[2]]
    torch.testing.assert_close(_layers(path, x)[0], expected, rtol=1e-5, atol=1e-5)


def test_anatomixs_other_networks_are_refused(folder: Path) -> None:
    weights = anatomix().state_dict()
    weights["model.1.extra"] = torch.zeros(3)
    del weights["model.0.weight"]
    with pytest.raises(ModelError, match=r"1 missing \(stem\.0\.weight\); 1 unknown .*anatomix\.pth"):
        export_anatomix(saved(weights, folder / "other.pth"), folder / "never.pt")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "can't be read"), (b"PK garbage", "can't be read"), (None, "No such file")],
)
def test_files_that_cant_be_read(tmp_path: Path, content: bytes | None, said: str) -> None:
    checkpoint = tmp_path / "weights.pth"
    if content is not None:
        checkpoint.write_bytes(content)
    with pytest.raises(ModelError, match=said):
        export_anatomix(checkpoint, tmp_path / "never.pt")


def test_files_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not the weights of a network"):
        export_anatomix(saved({"epoch": 3, "best": 0.5}, tmp_path / "log.pth"), tmp_path / "never.pt")
    with pytest.raises(ModelError, match="would have to be run"):
        export_anatomix(saved({"model": anatomix()}, tmp_path / "whole.pth"), tmp_path / "never.pt")


def test_exported_files_need_no_timm(sam: Path) -> None:
    code = (
        "import sys, torch; m = torch.jit.load(sys.argv[1]); e = torch.tensor([]);"
        "x = torch.rand(1, 3, 32, 32, requires_grad=True); m(x, torch.tensor(4), e, e)[3].square().sum().backward();"
        "assert x.grad.abs().max() > 0; assert 'timm' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(sam)], check=True)


def test_without_timm_the_extra_is_named(folder: Path, sam: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModelError, match=r'pip install "elastix-impact\[export\]"'):
        export_sam(folder / "sam2.1_hiera_tiny.pt", folder / "never.pt")
