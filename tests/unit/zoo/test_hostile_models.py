"""Models that return tensors of the wrong kind: said of the model, before anything computes with them."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from elastix_impact.errors import ModelError
from elastix_impact.zoo.load import load_model
from elastix_impact.zoo.run import extract_features
from hostile_models import Complex, Meta, NoChannels, save


class Sparse(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x.to_sparse()]


class Empty(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x[:, :, :0]]


@pytest.mark.parametrize(
    ("module", "layers_mask", "says"),
    [
        (Meta(), (False, True), "layer 1 of the model has no values"),
        (Complex(), (True,), "layer 0 of the model is complex"),
        (Sparse(), (True,), "sparse"),
        (NoChannels(), (True,), "layer 0 of the model has no channels"),
        (Empty(), (True,), r"layer 0 of the model is empty, of shape \(1, 1, 0, 6, 7\)"),
    ],
)
def test_layers_that_nothing_can_be_registered_by(
    tmp_path: Path, module: nn.Module, layers_mask: tuple[bool, ...], says: str
) -> None:
    path = save(module, tmp_path / "model.pt")
    with pytest.raises(ModelError, match=says):
        extract_features(
            load_model(path), torch.rand(5, 6, 7), model_dimension=3, channels=1, patch_size=(0, 0, 0),
            layers_mask=layers_mask, stats=torch.tensor([0.0, 1.0, 0.5, 0.3]),
            direction=torch.eye(3, dtype=torch.int64),
        )  # fmt: skip
