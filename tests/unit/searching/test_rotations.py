import math

import pytest
import torch
from torch import Tensor

from elastix_impact.searching.rotations import NEAR, Turns, angles_between, from_vectors, lattice_turns


def all_of(turns: Turns) -> Tensor:
    return (turns.bases.unsqueeze(1) @ turns.lattice_turns).flatten(0, 1)


def random_rotations(count: int) -> Tensor:
    """Uniform ones, by random quaternions' double reflections."""
    drawn = torch.randn(count, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    rotations, upper = torch.linalg.qr(drawn)
    rotations = rotations * upper.diagonal(dim1=1, dim2=2).sign().unsqueeze(1)
    return rotations * torch.linalg.det(rotations).view(-1, 1, 1)


@pytest.mark.parametrize(("dimension", "count"), [(2, 4), (3, 24)])
def test_turns_of_the_lattice_are_all_its_rotations(dimension: int, count: int) -> None:
    turns = lattice_turns(dimension)
    assert len(turns) == count == len({tuple(turn.flatten().tolist()) for turn in turns})
    assert torch.allclose(torch.linalg.det(turns), torch.ones(count, dtype=torch.float64))
    assert torch.equal(turns[0], torch.eye(dimension, dtype=torch.float64))


@pytest.mark.parametrize(("count", "covering"), [(72, 50.0), (200, 34.0), (576, 26.0)])
def test_no_rotation_is_far_from_those_that_are_tried(count: int, covering: float) -> None:
    tried = all_of(Turns.of(3, count))
    assert count <= len(tried) < count + 24
    nearest = torch.cat(
        [angles_between(some.unsqueeze(1), tried).amin(1) for some in random_rotations(2000).split(200)]
    )
    assert math.degrees(float(nearest.max())) < covering


def test_turns_in_the_plane_are_equal_steps() -> None:
    tried = all_of(Turns.of(2, 72))
    angles = torch.atan2(tried[:, 1, 0], tried[:, 0, 0]).rad2deg() % 360
    assert torch.allclose(angles.sort().values, torch.arange(72, dtype=torch.float64) * 5)


@pytest.mark.parametrize("dimension", [2, 3])
def test_near_rotations_are_near(dimension: int) -> None:
    tried = all_of(Turns.of(dimension, "near"))
    angles = angles_between(tried, torch.eye(dimension, dtype=torch.float64))
    assert float(angles[0]) < 1e-6
    assert float(angles.max()) <= NEAR + 1e-6
    assert len(tried) == (13 if dimension == 2 else 123)


def test_a_rotation_vector_is_axis_times_angle() -> None:
    quarter = from_vectors(torch.tensor([[0.0, 0.0, math.pi / 2]], dtype=torch.float64))[0]
    assert torch.allclose(
        quarter @ torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64), torch.tensor([0.0, 1.0, 0.0]).double()
    )
