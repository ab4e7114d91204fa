"""Regions at the image's rim: boxes around voxels of a mask are pushed inside, and no point leaves the image."""

import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.samplers import region
from elastix_impact.samplers.region import RandomRegionSampler
from elastix_impact.samplers.voxels import index_to_world, last_index, mask_voxels, voxel_indices

GRID = Grid.axis_aligned((11, 6), (1.0, 2.0), (3.0, -4.0))


@pytest.mark.parametrize(("voxel", "low"), [((0, 0), (0.0, 0.0)), ((10, 5), (6.0, 3.0)), ((4, 2), (2.0, 1.0))])
def test_a_box_around_a_voxel_is_pushed_into_the_image(
    voxel: tuple[int, int], low: tuple[float, float], generator: torch.Generator
) -> None:
    """A box of 4 mm is 4 by 2 voxels; around a voxel of a mask of one voxel all points are in that voxel's cell."""
    mask = torch.zeros(GRID.shape, dtype=torch.bool)
    mask[voxel[1], voxel[0]] = True
    points = RandomRegionSampler(GRID, mask, 4000, "cpu", (4.0, 4.0)).draw(generator)
    index = GRID.to_index(points.double())
    cell = torch.tensor(voxel)
    assert bool(((index - cell).abs() <= 0.5 + 1e-6).all())
    corner, size = torch.tensor(low), torch.tensor([4.0, 2.0])
    seen = torch.stack([torch.maximum(corner, cell - 0.5), torch.minimum(corner + size, cell + 0.5)])
    torch.testing.assert_close(index.amin(0).float(), seen[0].float(), rtol=0, atol=0.05)
    torch.testing.assert_close(index.amax(0).float(), seen[1].float(), rtol=0, atol=0.05)


@pytest.mark.parametrize("masked", [False, True])
def test_a_box_that_rounding_makes_wider_than_the_image_gives_no_point_outside(
    masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sides may be a millionth too long; the largest random number would then lie beyond the last voxel."""
    grid = Grid.axis_aligned((4, 4), (1.0, 1.0))
    mask = torch.ones(grid.shape, dtype=torch.bool) if masked else None
    sampler = RandomRegionSampler(grid, mask, 5, "cpu", (3 * (1 + 9e-7),) * 2)
    monkeypatch.setattr(region, "uniform", lambda shape, device, generator: torch.full(shape, 1 - 2**-24))
    assert sampler.draw(torch.Generator()).tolist() == [[3.0, 3.0]] * 5


def test_voxels_of_a_mask_and_where_they_lie() -> None:
    """On 11 by 6 voxels the places 2, 24 and 65 are (2, 0), (2, 2) and (10, 5)."""
    mask = torch.zeros(GRID.shape, dtype=torch.bool)
    mask[0, 2] = mask[2, 2] = mask[5, 10] = True
    voxels = mask_voxels(GRID, mask, "cpu")
    assert voxels.tolist() == [2, 24, 65]
    assert voxels.dtype == torch.int32
    indices = voxel_indices(voxels, GRID)
    assert indices.tolist() == [[2.0, 0.0], [2.0, 2.0], [10.0, 5.0]]
    origin, matrix = index_to_world(GRID, "cpu")
    assert (indices @ matrix + origin).tolist() == [[5.0, -4.0], [5.0, 0.0], [13.0, 6.0]]
    assert last_index(GRID, "cpu").tolist() == [10.0, 5.0]
