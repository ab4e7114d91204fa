import pytest
import torch

from elastix_impact.searching.coarse import Region
from elastix_impact.searching.mind import mind, turned_channels
from elastix_impact.searching.rotations import Turns, lattice_turns
from elastix_impact.searching.scan import turned_features
from elastix_impact.zoo.export.mind import export_mind
from search_scenes import blob, image, noisy


@pytest.mark.parametrize("size", [(12, 10), (9, 8, 10)])
def test_the_descriptor_is_that_of_the_exported_model(size: tuple[int, ...], tmp_path: object) -> None:
    volume = torch.rand(1, *size, generator=torch.Generator().manual_seed(5))
    model = torch.jit.load(str(export_mind(tmp_path / "mind.pt", 1, 1, len(size))))  # type: ignore[operator]
    assert torch.allclose(mind(volume, torch.ones_like(volume)), model(volume.unsqueeze(1))[0], atol=1e-5)


def test_volumes_of_a_batch_do_not_depend_on_each_other() -> None:
    volumes = torch.rand(2, 8, 9, generator=torch.Generator().manual_seed(5))
    volumes[1] *= 1000
    both = mind(volumes, torch.ones_like(volumes))
    assert torch.allclose(both[:1], mind(volumes[:1], torch.ones_like(volumes[:1])))


@pytest.mark.parametrize("dimension", [2, 3])
def test_channels_of_turned_lattices_are_a_permutation(dimension: int) -> None:
    for turn in lattice_turns(dimension):
        channels = turned_channels(dimension, tuple(tuple(int(v) for v in row) for row in turn.tolist()))
        assert sorted(channels) == list(range(12 if dimension == 3 else 4))


@pytest.mark.parametrize("size", [(20, 18), (20, 18, 16)])
def test_features_on_a_turned_lattice_are_those_that_are_read_there(size: tuple[int, ...]) -> None:
    coarse = Region.of(image(noisy(blob(size), 1)), None).shrunk(4.0)
    dimension = len(size)
    turns, axes = Turns.of(dimension, 8), torch.eye(dimension, dtype=torch.float64)
    lattice = (11,) * dimension
    rotations, features = (torch.cat(parts) for parts in zip(*turned_features(coarse, lattice, turns, axes, 4.0)))
    one_by_one = Turns(rotations, axes.unsqueeze(0), 1.0)
    read = torch.cat([found for _, found in turned_features(coarse, lattice, one_by_one, axes, 4.0)])
    assert torch.allclose(features, read, atol=1e-4)
