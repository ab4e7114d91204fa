"""Reorienting reorders voxels and keeps each at its place in the world."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.orient import reoriented

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def _rotation(seed):
    q, r = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
    return tuple(tuple(row) for row in (q * torch.sign(torch.diag(r))).tolist())


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), target=st.integers(0, 10_000))
def test_every_voxel_keeps_its_world_position(seed, target):
    grid = Grid((3, 4, 5), (1.0, 2.0, 3.0), (10.0, -20.0, 2000.0), _rotation(seed))
    image = Image(torch.arange(60.0).reshape(grid.shape), grid)
    wanted = _rotation(target)
    turned = reoriented(image, wanted)
    places = {round(v): tuple(p) for v, p in zip(image.data.flatten().tolist(), grid.world_points().tolist())}
    for value, place in zip(turned.data.flatten().tolist(), turned.grid.world_points().tolist()):
        assert place == pytest.approx(places[round(value)], abs=1e-9)
    agreement = torch.tensor(wanted).T @ torch.tensor(turned.grid.direction)
    assert (agreement.diagonal() >= 0).all()
    assert reoriented(turned, wanted) is turned


def test_a_quarter_turn_is_undone_and_a_small_one_left():
    quarter = Grid((3, 4, 5), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0), ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)))
    turned = reoriented(Image(torch.zeros(quarter.shape), quarter), IDENTITY)
    assert turned.grid.direction == IDENTITY
    assert turned.grid.size == (4, 3, 5)
    small = Grid((3, 4, 5), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0), ((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 1.0)))
    image = Image(torch.zeros(small.shape), small)
    assert reoriented(image, IDENTITY) is image
