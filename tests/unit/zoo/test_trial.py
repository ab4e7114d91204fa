"""The trial before a registration: models whose layers are of no use, and models that are."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from elastix_impact.errors import ModelError
from elastix_impact.zoo.export.mind import export_mind
from elastix_impact.zoo.trial import try_model
from hostile_models import Complex, Constant, Meta, NoChannels, NotANumber, save


class SquareRoot(nn.Module):
    """Not finite for dark images."""

    def forward(self, x: Tensor) -> list[Tensor]:
        return [x.sqrt()]


class Wide(nn.Module):
    """Takes no small image."""

    def forward(self, x: Tensor) -> list[Tensor]:
        assert x.shape[2] >= 200
        return [x]


class Random(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x + torch.rand_like(x)]


@pytest.fixture
def tried(tmp_path: Path) -> Callable[..., None]:
    def run(module: nn.Module, mask: str, patch: tuple[int, ...] | None = None) -> None:
        flags = tuple(c == "1" for c in mask)
        path = save(module, tmp_path / "model.pt")
        try_model(path, dimension=2, channels=1, layers_mask=flags, patch_size=patch)

    return run


@pytest.mark.parametrize("patch", [None, (5, 7)])
@pytest.mark.parametrize(
    ("module", "mask", "said"),
    [
        (Complex(), "1", "layer 0 of the model is complex"),
        (NoChannels(), "1", "layer 0 of the model has no channels"),
        (Meta(), "01", "layer 1 of the model has no values"),
        (Constant(), "1", "layer 0 of the model is the same whatever the image shows"),
        (NotANumber(), "01", "layer 1 of the model is not finite"),
        (SquareRoot(), "11", "the model returned 1 layers, the layers mask has 2 characters"),
    ],
)
def test_what_can_never_guide_is_refused(
    tried: Callable[..., None], patch: tuple[int, ...] | None, module: nn.Module, mask: str, said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        tried(module, mask, patch)


def test_only_selected_layers_count_and_only_what_is_so_for_every_image(tried: Callable[..., None]) -> None:
    tried(NotANumber(), "10")
    tried(SquareRoot(), "1")


def test_a_model_that_takes_no_small_image_may_suit_the_whole_one_but_not_a_patch(tried: Callable[..., None]) -> None:
    tried(Wide(), "1")
    with pytest.raises(ModelError, match="fails on an input of 1x1x16x16"):
        tried(Wide(), "1", (16, 16))


def test_mind_is_fit_and_the_generator_stays_where_it_was(tmp_path: Path, tried: Callable[..., None]) -> None:
    path = export_mind(tmp_path / "mind.pt", 1, 2, 3)
    before = torch.random.get_rng_state()
    try_model(path, dimension=3, channels=1, layers_mask=(True,), patch_size=None)
    tried(Random(), "1")
    assert torch.equal(torch.random.get_rng_state(), before)
