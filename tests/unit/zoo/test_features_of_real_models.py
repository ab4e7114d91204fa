"""Real and golden models: tiles, slices and geometry as the golden maps use them."""

from pathlib import Path

import pytest
import torch

from elastix_impact.zoo.inspect import layer_geometry
from elastix_impact.zoo.load import load_model
from elastix_impact.zoo.run import extract_features

STATS = torch.tensor([-3.0, 3.0, 0.0, 1.0])


@pytest.mark.shared
def test_tiles_of_a_local_model_agree_away_from_their_edges(shared: Path) -> None:
    model = load_model(shared / "golden" / "models" / "Plain_3D.pt")
    volume = torch.randn(20, 24, 28)
    settings = {
        "model_dimension": 3,
        "channels": 1,
        "layers_mask": (True,),
        "stats": STATS,
        "direction": torch.eye(3, dtype=torch.int64),
    }
    whole, tiled = (extract_features(model, volume, patch_size=p, **settings)[0] for p in ((0, 0, 0), (16, 16, 16)))
    assert whole.shape == tiled.shape
    torch.testing.assert_close(tiled[:, 2:14, 2:14, 2:14], whole[:, 2:14, 2:14, 2:14], rtol=1e-4, atol=1e-5)
    assert (tiled - whole).abs().max() > 1e-3  # a tile's edge sees zeros where the whole image has neighbours


@pytest.mark.shared
def test_a_strided_layer_answers_at_the_place_that_its_geometry_says(shared: Path) -> None:
    """Noise in a small box changes the layer most where offset + stride * index lies in the box."""
    model = load_model(shared / "golden" / "models" / "Encoder_2_Layers.pt")
    direction = torch.eye(3, dtype=torch.int64)
    quiet = torch.randn(1, 1, 32, 32, 32)
    loud = quiet.clone()
    loud[0, 0, 10, 16, 22] += 50  # z, y, x
    with torch.no_grad():
        change = (model(loud, 2, STATS, direction)[1] - model(quiet, 2, STATS, direction)[1]).abs().sum((0, 1))
    layer = layer_geometry(model, 3, 1, 2)[1]
    weight = (change / change.max()) ** 4
    axes = torch.meshgrid(*(torch.arange(float(n)) for n in change.shape), indexing="ij")
    centre_zyx = torch.stack([(axis * weight).sum() / weight.sum() for axis in axes])
    place = torch.tensor(layer.offset) + torch.tensor(layer.stride) * centre_zyx.flip(0)
    torch.testing.assert_close(place, torch.tensor([22.0, 16.0, 10.0]), atol=0.7, rtol=0)


@pytest.mark.shared
@pytest.mark.skipif(
    torch.__version__ < "2.6", reason="the files were scripted by a newer PyTorch, whose operators this one lacks"
)
@pytest.mark.parametrize("name", ["meshnet18_features_ts.pt", "allconvunet_tcia_fold1_features_ts.pt"])
def test_networks_with_many_layers_run_with_a_mask(shared: Path, name: str) -> None:
    (path,) = (shared / "data" / "weights").glob(f"*/{name}")
    model = load_model(path)
    volume = torch.rand(16, 32, 32)
    mask = (False, True, False, False) if name.startswith("mesh") else (True, False, True, False, False)
    maps = extract_features(
        model,
        volume,
        model_dimension=3,
        channels=1,
        patch_size=(0, 0, 0),
        layers_mask=mask,
        stats=STATS,
        direction=torch.eye(3, dtype=torch.int64),
    )
    expected = [(21, 16, 32, 32)] if name.startswith("mesh") else [(5, 16, 32, 32), (28, 4, 8, 8)]
    assert [tuple(m.shape) for m in maps] == expected
