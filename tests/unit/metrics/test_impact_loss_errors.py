"""What a user of the loss can get wrong is named."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastix_impact import ImpactLoss
from elastix_impact.errors import ImageError, InputError, ModelError


class Pyramid(nn.Module):
    """Two layers of convolutions, the second of half the resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, 1, 1), nn.Conv2d(4, 6, 3, 2, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        first = F.softplus(self.first(x))
        return [first, F.softplus(self.second(first))]


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"layers": "2"}, ModelError, "no layers mask"),
        ({"layers": "00"}, ModelError, "at least one 1"),
        ({"layers": ["11", "11"]}, InputError, "2 values for 1 model"),
        ({"distance": "cosin"}, InputError, "Did you mean Cosine"),
        ({"distance": "COSINE"}, InputError, "Did you mean Cosine"),
        ({"distance": ["L1"]}, InputError, "1 values for 2 selected layers"),
        ({"weights": [1.0, 2.0, 3.0]}, InputError, "3 values for 2 selected layers"),
        ({"weights": -1.0}, InputError, "at least 0"),
        ({"subset": 0}, InputError, "at least 1"),
        ({"model": []}, InputError, "values for 0 models"),
        ({"model": [], "layers": []}, ModelError, "no model is given"),
        ({"model": "absent.pt"}, ModelError, "no such model file"),
    ],
)
def test_wrong_settings_are_named(options, kind, words):
    settings = {"model": Pyramid(), "layers": ["11"]} | options
    with pytest.raises(kind, match=words):
        ImpactLoss(**settings)


@pytest.mark.parametrize(
    ("options", "shapes", "kind", "words"),
    [
        ({}, [(1, 1, 6, 6), (1, 1, 6, 7)], ImageError, r"target \(1, 1, 6, 7\)"),
        ({}, [(1, 6, 6), (1, 6, 6)], ImageError, r"\(N, C, H, W\)"),
        ({}, [(2, 1, 6, 6), (2, 1, 6, 6), (1, 1, 6, 6)], ImageError, "the mask has shape"),
        ({}, [(1, 2, 6, 6), (1, 2, 6, 6)], ImageError, "2 channels and the model takes 1"),
        ({"dimension": 3}, [(1, 1, 6, 6), (1, 1, 6, 6)], ImageError, "a 3-D model"),
        ({"layers": "111"}, [(1, 1, 6, 6), (1, 1, 6, 6)], ModelError, "Give `layers` 2 characters"),
        ({}, [(1, 1, 6, 6, 6), (1, 1, 6, 6, 6)], ModelError, "Check `dimension`"),
        ({"channels": 3}, [(1, 1, 6, 6), (1, 1, 6, 6)], ModelError, "`channels`"),
        ({"model": nn.Identity(), "layers": "1"}, [(1, 1, 6, 6), (1, 1, 6, 6)], ModelError, "returns Tensor"),
        ({"model": Pyramid().first, "layers": "1"}, [(1, 1, 6, 6), (1, 1, 6, 6)], ModelError, "returns Tensor"),
    ],
)
def test_images_that_do_not_fit_are_named(options, shapes, kind, words):
    loss = ImpactLoss(**({"model": Pyramid(), "layers": "11"} | options))
    with pytest.raises(kind, match=words):
        loss(*(torch.rand(shape) for shape in shapes))


def test_layers_that_are_no_images_are_named():
    class Flat(nn.Module):
        def forward(self, x: Tensor) -> list[Tensor]:
            return [x, x.flatten(1)]

    assert ImpactLoss(Flat(), "10")(torch.rand(1, 1, 4, 4), torch.rand(1, 1, 4, 4)) > 0
    with pytest.raises(ModelError, match="a layer has shape"):
        ImpactLoss(Flat(), "01")(torch.rand(1, 1, 4, 4), torch.rand(1, 1, 4, 4))


def test_short_memory_stays_what_training_loops_look_for():
    class Hungry(nn.Module):
        def forward(self, x: Tensor) -> list[Tensor]:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        ImpactLoss(Hungry(), "1")(torch.rand(1, 1, 4, 4), torch.rand(1, 1, 4, 4))
