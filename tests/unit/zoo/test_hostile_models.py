"""Models that return tensors of the wrong kind: said of the model, before anything computes with them."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from elastix_impact.errors import ModelError
from elastix_impact.zoo.load import load_model
from elastix_impact.zoo.run import extract_features


class Meta(torch.nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [torch.empty(x.shape, device="meta")]


class Complex(torch.nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [torch.complex(x, x)]


class Sparse(torch.nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x.to_sparse()]


class NoChannels(torch.nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x[:, :0]]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (Meta, "layer 0 lies on the device meta"),
        (Complex, "layer 0 has the type torch.complex64"),
        (Sparse, "sparse"),
        (NoChannels, r"shape \(1, 0, 5, 6, 7\): it is empty"),
    ],
)
def test_layers_that_nothing_can_be_registered_by(tmp_path: Path, kind: type[torch.nn.Module], says: str) -> None:
    path = tmp_path / "model.pt"
    torch.jit.script(kind()).save(path)
    with pytest.raises(ModelError, match=says):
        extract_features(
            load_model(path), torch.rand(5, 6, 7), model_dimension=3, channels=1, patch_size=(0, 0, 0),
            layers_mask=(True,), stats=torch.tensor([0.0, 1.0, 0.5, 0.3]), direction=torch.eye(3, dtype=torch.int64),
        )  # fmt: skip
