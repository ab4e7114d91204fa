"""Features that show another contrast in one image: GaussianMI finds the motion, L2 of the same features does not."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from elastix_impact.geometry.image import Image
from elastix_impact.parameters.resolve import plan_or_raise
from elastix_impact.parameters.text import parse_parameter_text
from elastix_impact.registration.register import register
from small_case import MAP
from textures import texture

SHIFT = (5.0, -4.0, 3.0)
NO_SUBSET = ("(ImpactSubsetFeatures0 12)", "(ImpactSubsetFeatures0 99)")


class FirstLayer(nn.Module):
    """Random small filters of the intensities, none of them blind to contrast, as in a network's first layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.filters = nn.Conv3d(1, 6, 3, padding=1, padding_mode="replicate")

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.filters(x / 300)]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "first.pt"
    torch.jit.script(FirstLayer()).save(str(path))
    return path


def _contrasts():
    """A texture, and what shows it inverted and bent where it has moved by SHIFT."""
    fixed = texture(1)
    return fixed, Image(1000 - 400 * torch.tanh(fixed.data / 150), fixed.grid.shifted(SHIFT))


def _error(network, distance, *changes):
    """mm left at the middle of the image of the `SHIFT`."""
    fixed, moving = _contrasts()
    text = MAP.replace('(ImpactDistance0 "L2")', f'(ImpactDistance0 "{distance}")').replace(
        "VoxelSize0 4 4 4", "VoxelSize0 2 2 2"
    )
    for old, new in (NO_SUBSET, ('"BSplineTransform"', '"TranslationTransform"'), *changes):
        assert old in text
        text = text.replace(old, new)
    plan = replace(plan_or_raise(parse_parameter_text(text, "map.txt"), dimension=3), random_seed=1)
    found = register(
        plan, fixed, moving, find_model=lambda name, dimension: network, device=torch.device("cpu")
    ).transform
    middle = torch.tensor([fixed.grid.centre], dtype=torch.float64)
    return (found.map_points(middle) - middle - torch.tensor(SHIFT, dtype=torch.float64)).norm().item()


def test_gaussian_information_finds_what_the_squared_difference_does_not(network):
    assert _error(network, "L2") > 5
    assert _error(network, "GaussianMI") < 0.3


@pytest.mark.parametrize(
    "change",
    [
        ("(ImpactSubsetFeatures0 99)", "(ImpactSubsetFeatures0 3)"),
        ("(ImpactPCA0 0)", "(ImpactPCA0 4)"),
        ("(NumberOfSpatialSamples 500)", "(NumberOfSpatialSamples 20)"),
    ],
    ids=["subset", "principal components", "few samples"],
)
def test_it_does_so_with_fewer_channels_and_samples_too(network, change):
    assert _error(network, "GaussianMI", change) < 1
