"""Exported nnU-Nets: their layers are the stages of the trained network, computed as far as wanted."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from elastix_impact.zoo.export.nnunet import export_nnunet
from elastix_impact.zoo.inspect import inspect_model
from elastix_impact.zoo.load import FeatureModel, load_model
from nnunet_folder import ANISOTROPIC, CT, ISOTROPIC, Trained, write_folder

NETWORKS = ("PlainConvUNet", "ResidualEncoderUNet")
FLAT = ((1, 1), (2, 2), (1, 2))
STATS = torch.tensor([-700.0, 900.0, 20.0, 250.0])
UNKNOWN = torch.tensor([])
ALL = 999


def _loaded(trained: Trained, path: Path, **options: Any) -> FeatureModel:
    return load_model(export_nnunet(trained.folder, path, **options))


def _image(*shape: int) -> Tensor:
    return 400 * torch.randn(1, 1, *shape)


def _as_ct(x: Tensor) -> Tensor:
    return (x.clamp(CT["percentile_00_5"], CT["percentile_99_5"]) - CT["mean"]) / CT["std"]


def _close(ours: list[Tensor], expected: list[Tensor]) -> None:
    assert [layer.shape for layer in ours] == [layer.shape for layer in expected]
    for layer, other in zip(ours, expected):
        torch.testing.assert_close(layer, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("layout", ["new", "old"])
@pytest.mark.parametrize("strides", [ISOTROPIC, ANISOTROPIC, FLAT])
def test_layers_are_the_stages_of_the_network(tmp_path: Path, kind: str, layout: str, strides: Any) -> None:
    trained = write_folder(tmp_path, kind=kind, layout=layout, strides=strides)
    model = _loaded(trained, tmp_path / "m.pt", layers="all")
    for shape in ((12, 16, 20), (8, 12, 24)):
        x = _image(*shape[: len(strides[0])])
        _close(model(x, ALL, STATS, UNKNOWN), trained.layers(_as_ct(x)))


def test_published_layers_are_the_encoder_the_last_stage_and_probabilities(tmp_path: Path) -> None:
    trained = write_folder(tmp_path)
    x = _image(8, 12, 16)
    *encoder, deep, last, logits = trained.layers(_as_ct(x))
    ours = _loaded(trained, tmp_path / "m.pt")(x, ALL, STATS, UNKNOWN)
    _close(ours, [*encoder, last, logits.softmax(1)])
    assert deep.shape not in {layer.shape for layer in ours[3:]}


def test_regions_may_overlap(tmp_path: Path) -> None:
    trained = write_folder(tmp_path)
    trained.edit("dataset.json", labels={"background": 0, "body": [1, 2, 3], "liver": [2, 3], "tumour": 3})
    x = _image(8, 8, 8)
    probabilities = _loaded(trained, tmp_path / "m.pt")(x, ALL, STATS, UNKNOWN)[-1]
    torch.testing.assert_close(probabilities, trained.layers(_as_ct(x))[-1].sigmoid())


SCHEMES = {
    "ZScoreNormalization": lambda x: (x - STATS[2]) / STATS[3],
    "NoNormalization": lambda x: x,
    "RescaleTo01Normalization": lambda x: (x - STATS[0]) / (STATS[1] - STATS[0]),
    "RGBTo01Normalization": lambda x: x.clamp(0, 255) / 255,
    "CTNormalization": _as_ct,
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_intensities_are_scaled_as_in_the_training(tmp_path: Path, scheme: str) -> None:
    trained = write_folder(tmp_path, scheme=scheme, strides=FLAT)
    model = _loaded(trained, tmp_path / "m.pt", layers="all")
    for shape in ((8, 16), (12, 8)):
        x = _image(*shape)
        _close(model(x, ALL, STATS, UNKNOWN), trained.layers(SCHEMES[scheme](x)))


def test_statistics_of_the_nonzero_region_are_said_to_be_missing(tmp_path: Path) -> None:
    trained = write_folder(tmp_path, scheme="ZScoreNormalization", strides=FLAT)
    trained.configure(use_mask_for_norm=[True])
    with pytest.warns(UserWarning, match="nonzero voxels"):
        export_nnunet(trained.folder, tmp_path / "m.pt")


class _Convolutions(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is torch.ops.aten.convolution.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", NETWORKS)
def test_what_lies_behind_the_last_wanted_layer_is_not_computed(tmp_path: Path, kind: str) -> None:
    model = _loaded(write_folder(tmp_path, kind=kind), tmp_path / "m.pt", layers="all")
    x = _image(8, 8, 8)
    complete = model(x, ALL, STATS, UNKNOWN)
    counts = []
    for wanted in range(1, 7):
        with _Convolutions() as convolutions:
            layers = model(x, wanted, STATS, UNKNOWN)
        _close(layers, complete[:wanted])
        counts.append(convolutions.count)
    if kind == "PlainConvUNet":
        assert counts == [1, 3, 5, 7, 9, 10]
    assert counts == sorted(set(counts))


def test_published_layers_stop_early_too(tmp_path: Path) -> None:
    model = _loaded(write_folder(tmp_path), tmp_path / "m.pt")
    counts = []
    for wanted in (2, 3, 4, 5):
        with _Convolutions() as convolutions:
            assert len(model(_image(8, 8, 8), wanted, STATS, UNKNOWN)) == wanted
        counts.append(convolutions.count)
    assert counts == [3, 5, 9, 10]


@pytest.mark.parametrize("kind", NETWORKS)
def test_gradients_reach_the_image(tmp_path: Path, kind: str) -> None:
    trained = write_folder(tmp_path, kind=kind)
    model = _loaded(trained, tmp_path / "m.pt", layers="all")
    x = _image(8, 8, 8).requires_grad_()
    direction = torch.diag(torch.tensor([-1, 1, -1]))
    for layer in model(x, ALL, STATS, direction):
        (gradient,) = torch.autograd.grad(layer.square().sum(), x, retain_graph=True)
        assert bool(torch.isfinite(gradient).all())
        assert bool((gradient[_inside(x)] != 0).any())
    (ours,) = torch.autograd.grad(model(x, ALL, STATS, UNKNOWN)[-1].square().sum(), x)
    (expected,) = torch.autograd.grad(trained.network(_as_ct(x)).square().sum(), x)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def _inside(x: Tensor) -> Tensor:
    return (x > CT["percentile_00_5"]) & (x < CT["percentile_99_5"])


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("shape", [(13, 22, 19), (7, 9, 30)])
def test_sizes_that_are_no_multiples_of_the_strides_go_through(
    tmp_path: Path, kind: str, shape: tuple[int, ...]
) -> None:
    trained = write_folder(tmp_path, kind=kind)
    x = _image(*shape)
    layers = _loaded(trained, tmp_path / "m.pt", layers="all")(x, ALL, STATS, UNKNOWN)
    for layer, stride in zip(layers, (1, 2, 4, 2, 1, 1)):
        assert tuple(layer.shape[2:]) == tuple(-(-n // stride) for n in shape)
        assert bool(torch.isfinite(layer).all())
    if kind == "PlainConvUNet":
        encoder = trained.network.encoder(_as_ct(x))
        _close(layers[:3], encoder)


@pytest.mark.parametrize("kind", NETWORKS)
def test_voxels_stay_in_place_whatever_the_size(tmp_path: Path, kind: str) -> None:
    """Without global statistics, an image cut short at its far end keeps its features elsewhere."""
    model = _loaded(write_folder(tmp_path, kind=kind, normed=False), tmp_path / "m.pt", layers="all")
    whole = _image(8, 8, 88)
    complete = model(whole, ALL, STATS, UNKNOWN)
    for length in (87, 86, 85):
        cut = model(whole[..., :length], ALL, STATS, UNKNOWN)
        for layer, expected, stride in zip(cut, complete, (1, 2, 4, 2, 1, 1)):
            untouched = 44 // stride
            torch.testing.assert_close(layer[..., :untouched], expected[..., :untouched], rtol=1e-5, atol=1e-5)


def test_inspection_finds_the_strides(tmp_path: Path) -> None:
    report = inspect_model(export_nnunet(write_folder(tmp_path, strides=ANISOTROPIC).folder, tmp_path / "m.pt"))
    assert (report.dimension, report.channels, report.number_of_inputs) == (3, 1, 4)
    assert [layer.channels for layer in report.layers] == [4, 8, 12, 4, 3]
    ones = (1.0, 1.0, 1.0)
    assert [layer.stride for layer in report.layers] == [ones, (2.0, 2.0, 1.0), (4.0, 2.0, 2.0), ones, ones]
    assert report.differentiable
    assert report.deterministic
    assert report.abilities.device_fault == ""
    assert report.abilities.side_step == 1


def test_the_wrong_dimension_is_refused_in_words(tmp_path: Path) -> None:
    model = torch.jit.load(str(export_nnunet(write_folder(tmp_path).folder, tmp_path / "m.pt")))
    with pytest.raises(torch.jit.Error, match="expected 3 spatial axes, got 2"):
        model(_image(8, 8))
