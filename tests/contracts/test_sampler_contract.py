"""What every sampler promises, in 2-D and 3-D, on oblique grids, with and without a mask."""

import math
from collections.abc import Callable

import pytest
import torch

from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Grid
from elastix_impact.samplers.base import AbstractSampler
from elastix_impact.samplers.fixed import FullSampler, GridSampler
from elastix_impact.samplers.joint import JointSampler
from elastix_impact.samplers.random import RandomCoordinateSampler, RandomSampler
from elastix_impact.samplers.region import RandomRegionSampler

Make = Callable[[Grid, torch.Tensor | None], AbstractSampler]
COUNT = 500
MAKERS: dict[str, Make] = {
    "Full": lambda grid, mask: FullSampler(grid, mask, "cpu"),
    "GridByNumber": lambda grid, mask: GridSampler(grid, mask, "cpu", number_of_samples=COUNT),
    "GridBySpacing": lambda grid, mask: GridSampler(grid, mask, "cpu", spacing_voxels=(3, 2, 2)[: grid.dimension]),
    "Random": lambda grid, mask: RandomSampler(grid, mask, COUNT, "cpu"),
    "RandomCoordinate": lambda grid, mask: RandomCoordinateSampler(grid, mask, COUNT, "cpu"),
    "RandomRegion": lambda grid, mask: RandomRegionSampler(grid, mask, COUNT, "cpu"),
    "Joint": lambda grid, mask: JointSampler(
        [RandomCoordinateSampler(grid, mask, COUNT - 100, "cpu"), RandomSampler(grid, mask, 100, "cpu")]
    ),
}
RANDOM = ["Random", "RandomCoordinate", "RandomRegion", "Joint"]
ON_VOXELS = ["Full", "GridByNumber", "GridBySpacing", "Random"]


def oblique(dimension: int) -> Grid:
    """A rotated and flipped grid of 20 x 15 (x 12) voxels."""
    c, s = math.cos(0.5), math.sin(0.5)
    if dimension == 2:
        return Grid((20, 15), (1.5, 0.8), (-14.0, 3.0), ((c, s), (s, -c)))
    return Grid((20, 15, 12), (1.5, 0.8, 3.0), (-14.0, 3.0, 7.0), ((c, -s, 0.0), (0.0, 0.0, 1.0), (s, c, 0.0)))


def ball(grid: Grid) -> torch.Tensor:
    """A mask that touches the first face of x and no other."""
    centre = torch.tensor([[0.0, 7.0, 6.0][: grid.dimension]], dtype=torch.float64)
    return ((grid.index_points() - centre).norm(dim=1) <= 5.0).reshape(grid.shape)


@pytest.fixture(params=[2, 3], ids=["2-D", "3-D"])
def grid(request: pytest.FixtureRequest) -> Grid:
    return oblique(request.param)


@pytest.fixture(params=[False, True], ids=["whole", "masked"])
def mask(request: pytest.FixtureRequest, grid: Grid) -> torch.Tensor | None:
    return ball(grid) if request.param else None


@pytest.fixture(params=list(MAKERS))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def nearest_voxels(grid: Grid, index_points: torch.Tensor) -> torch.Tensor:
    """Places (N,) in the flattened volume of the voxels nearest to positions (N, D)."""
    index = index_points.add(0.5).floor().long()
    strides = torch.tensor([1, grid.size[0], grid.size[0] * grid.size[1]][: grid.dimension])
    return (index * strides).sum(1)


def test_points_lie_in_image_and_mask(kind: str, grid: Grid, mask: torch.Tensor | None, generator) -> None:
    sampler = MAKERS[kind](grid, mask)
    for _ in range(5):
        world_points = sampler.draw(generator)
        assert world_points.dtype == torch.float32
        assert world_points.shape == (sampler.number_of_samples, grid.dimension)
        index_points = grid.to_index(world_points.double())
        last = torch.tensor(grid.size, dtype=torch.float64) - 1
        assert (index_points >= -1e-4).all()
        assert (index_points <= last + 1e-4).all()
        if mask is not None:
            inward = index_points.clamp(min=torch.zeros_like(last), max=last)
            near = mask.flatten()[nearest_voxels(grid, inward)]
            # a point on the face between two voxels may fall to either after rounding
            on_face = ((inward - inward.floor() - 0.5).abs() < 1e-4).any(1)
            assert (near | on_face).all()


def test_points_of_voxel_samplers_are_voxel_centres(grid: Grid, mask: torch.Tensor | None, generator) -> None:
    for name in ON_VOXELS:
        index_points = grid.to_index(MAKERS[name](grid, mask).draw(generator).double())
        torch.testing.assert_close(index_points, index_points.round(), atol=1e-4, rtol=0)


def test_only_random_samplers_change_and_the_generator_rules(kind: str, grid: Grid, mask) -> None:
    sampler = MAKERS[kind](grid, mask)
    assert sampler.is_random == (kind in RANDOM)
    first, second = torch.Generator().manual_seed(5), torch.Generator().manual_seed(5)
    one = sampler.draw(first)
    torch.testing.assert_close(sampler.draw(second), one, rtol=0, atol=0)
    assert torch.equal(sampler.draw(first), one) != sampler.is_random


def test_without_a_generator_the_default_one_is_used(kind: str, grid: Grid) -> None:
    sampler = MAKERS[kind](grid, None)
    torch.manual_seed(3)
    one = sampler.draw()
    torch.manual_seed(3)
    torch.testing.assert_close(sampler.draw(), one, rtol=0, atol=0)


def test_an_empty_mask_is_refused(kind: str, grid: Grid) -> None:
    with pytest.raises(InputError, match="mask has no voxel"):
        MAKERS[kind](grid, torch.zeros(grid.shape, dtype=torch.bool))


def test_a_mask_of_another_shape_is_refused(kind: str, grid: Grid) -> None:
    with pytest.raises(InputError, match="shape"):
        MAKERS[kind](grid, torch.ones((2,) * grid.dimension, dtype=torch.bool))


def test_a_joint_sampler_needs_a_sampler() -> None:
    with pytest.raises(InputError, match="no sampler"):
        JointSampler([])


@pytest.mark.parametrize("kind", [kind for kind in RANDOM if kind != "Joint"])
def test_no_samples_are_refused(kind: str, grid: Grid) -> None:
    classes = {
        "Random": RandomSampler,
        "RandomCoordinate": RandomCoordinateSampler,
        "RandomRegion": RandomRegionSampler,
    }
    with pytest.raises(InputError, match="NumberOfSpatialSamples"):
        classes[kind](grid, None, 0, "cpu")


@pytest.mark.parametrize("kind", RANDOM)
def test_a_mask_of_one_voxel_is_enough(kind: str, grid: Grid, generator) -> None:
    mask = torch.zeros(grid.shape, dtype=torch.bool)
    mask[(5,) * grid.dimension] = True
    index_points = grid.to_index(MAKERS[kind](grid, mask).draw(generator).double())
    assert ((index_points - 5).abs() < 0.5 + 1e-4).all()


def chi_square(counts: torch.Tensor, expected: torch.Tensor) -> float:
    """Chi-square statistic, normalised so that it is about standard normal under the hypothesis."""
    statistic = float(((counts - expected).square() / expected).sum())
    freedom = counts.numel() - 1
    return (statistic - freedom) / math.sqrt(2 * freedom)


def test_random_voxels_are_uniform(grid: Grid, mask: torch.Tensor | None, generator) -> None:
    inside = torch.ones(grid.shape, dtype=torch.bool) if mask is None else mask
    sampler = RandomSampler(grid, mask, 40 * int(inside.sum()), "cpu")
    places = nearest_voxels(grid, grid.to_index(sampler.draw(generator).double()).round())
    counts = places.bincount(minlength=inside.numel())[inside.flatten()].double()
    assert chi_square(counts, torch.full_like(counts, 40.0)) < 5


def test_random_coordinates_are_uniform_in_the_image(grid: Grid, generator) -> None:
    sampler = RandomCoordinateSampler(grid, None, 50_000, "cpu")
    index_points = grid.to_index(sampler.draw(generator).double())
    for axis, size in enumerate(grid.size):
        counts = torch.histc(index_points[:, axis], bins=25, min=0, max=size - 1)
        assert chi_square(counts, torch.full_like(counts, 2000.0)) < 5


def test_random_coordinates_are_uniform_in_the_mask(grid: Grid, generator) -> None:
    mask = ball(grid)
    voxels = int(mask.sum())
    sampler = RandomCoordinateSampler(grid, mask, 40 * voxels, "cpu")
    index_points = grid.to_index(sampler.draw(generator).double())
    counts = nearest_voxels(grid, index_points.clamp(min=0)).bincount(minlength=mask.numel())[mask.flatten()].double()
    assert chi_square(counts, torch.full_like(counts, 40.0)) < 5
    inner = index_points[index_points[:, 0] > 0.5]
    fraction = (inner + 0.5) - (inner + 0.5).floor()
    bins = torch.histc(fraction[:, 0], bins=20, min=0, max=1)
    assert chi_square(bins, torch.full_like(bins, inner.shape[0] / 20)) < 5


def test_a_region_is_no_larger_than_asked_and_moves_about(grid: Grid, generator) -> None:
    size = (6.0, 4.0, 9.0)[: grid.dimension]
    sampler = RandomRegionSampler(grid, None, COUNT, "cpu", size)
    centres = []
    for _ in range(50):
        millimetres = grid.to_index(sampler.draw(generator).double()) * torch.tensor(grid.spacing, dtype=torch.float64)
        extent = millimetres.amax(0) - millimetres.amin(0)
        assert (extent <= torch.tensor(size) + 1e-4).all()
        assert (extent > 0.9 * torch.tensor(size)).all()
        centres.append(millimetres.mean(0))
    assert (torch.stack(centres).std(0) > 1.0).all()


def test_a_region_in_a_mask_is_uniform_over_what_both_cover(generator) -> None:
    grid = Grid.axis_aligned((40, 40), (1.0, 1.0))
    mask = torch.zeros(40, 40, dtype=torch.bool)
    mask[:, :20] = True
    sampler = RandomRegionSampler(grid, mask, 20_000, "cpu", (39.0, 39.0))
    index_points = grid.to_index(sampler.draw(generator).double())
    counts = torch.histc(index_points[:, 1], bins=30, min=0, max=39)
    assert chi_square(counts, torch.full_like(counts, 20_000 / 30)) < 5
    assert index_points[:, 0].max() < 19.5 + 1e-4
    assert index_points.unique(dim=0).shape[0] > 19_000


def test_a_region_larger_than_the_image_is_refused(grid: Grid) -> None:
    with pytest.raises(InputError, match="SampleRegionSize"):
        RandomRegionSampler(grid, None, COUNT, "cpu", (100.0,) * grid.dimension)


@pytest.mark.parametrize(
    ("number", "spacing", "starts"),
    [(300, 2, [0, 0, 0]), (10_000, 1, [0, 0, 0]), (20, 6, [0, 1, 2]), (1, 15, [2, 7, 5])],
)
def test_the_grid_sampler_places_its_lattice_as_elastix_does(number: int, spacing: int, starts: list[int]) -> None:
    """Spacing = round((20 * 15 * 12 / number) ** (1 / 3)); what is left over goes to both sides."""
    grid = oblique(3)
    sampler = GridSampler(grid, None, "cpu", number_of_samples=number)
    index_points = grid.to_index(sampler.draw().double()).round()
    counts = [1 + (n - 1) // spacing for n in grid.size]
    assert sampler.number_of_samples == math.prod(counts)
    assert index_points.amin(0).tolist() == starts
    for axis in range(3):
        places = index_points[:, axis].unique()
        assert (places.diff() == spacing).all()


def test_the_grid_sampler_finds_a_thin_mask() -> None:
    grid = Grid.axis_aligned((50, 50), (1.0, 1.0))
    mask = torch.eye(50, dtype=torch.bool)
    mask[::2] = False
    assert GridSampler(grid, mask, "cpu", number_of_samples=20).number_of_samples >= 1
    with pytest.raises(InputError, match="SampleGridSpacing"):
        GridSampler(grid, torch.eye(50, dtype=torch.bool).flip(0), "cpu", spacing_voxels=(2, 2))


def test_the_grid_sampler_wants_a_number_or_a_spacing(grid: Grid) -> None:
    with pytest.raises(InputError, match="either"):
        GridSampler(grid, None, "cpu")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", RANDOM)
def test_a_cpu_generator_draws_the_same_on_a_gpu(kind: str) -> None:
    grid = oblique(3)
    classes = {
        "Random": RandomSampler,
        "RandomCoordinate": RandomCoordinateSampler,
        "RandomRegion": RandomRegionSampler,
    }
    one = classes[kind](grid, None, COUNT, "cpu").draw(torch.Generator().manual_seed(1))
    two = classes[kind](grid, None, COUNT, "cuda").draw(torch.Generator().manual_seed(1))
    torch.testing.assert_close(two.cpu(), one)
