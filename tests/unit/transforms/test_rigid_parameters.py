"""Parameters of a rotation that is given as a matrix."""

import math

import pytest
import torch
from torch import Tensor

from elastix_impact.transforms.affine import AffineLogTransform, logarithm_of
from elastix_impact.transforms.euler import EulerTransform, angles_of
from elastix_impact.transforms.linear import axis_rotations, rotation_2d, versor_rotation
from elastix_impact.transforms.similarity import SimilarityTransform, rigid_parameters

MOVE = torch.tensor([3.0, -2.0, 7.0], dtype=torch.float64)
HALF = math.pi
ANGLES = [
    (0.0, 0.0, 0.0), (0.3, -0.2, 1.0), (HALF, 0.0, 0.0), (0.0, HALF, 0.0), (0.0, 0.0, HALF), (HALF / 2, 0.4, -0.9),
    (-HALF / 2, 0.0, 2.0), (2.9, -2.8, 3.1), (1e-9, 0.0, 0.0), (HALF, 0.7, 0.0),
]  # fmt: skip


def _rotation(angles: tuple[float, ...]) -> Tensor:
    if len(angles) == 1:
        return rotation_2d(torch.tensor(angles[0], dtype=torch.float64))
    about_x, about_y, about_z = axis_rotations(torch.tensor(angles, dtype=torch.float64))
    return about_z @ about_x @ about_y


@pytest.mark.parametrize("angles", [*ANGLES, (0.0,), (2.0,), (HALF,), (-3.0,)])
def test_each_transform_makes_the_rotation_again(angles: tuple[float, ...]) -> None:
    rotation = _rotation(angles)
    dimension = len(rotation)
    centre, move = (1.0,) * dimension, MOVE[:dimension]
    parameters = {
        EulerTransform: torch.cat([angles_of(rotation), move]),
        SimilarityTransform: rigid_parameters(rotation, move),
        AffineLogTransform: torch.cat([logarithm_of(rotation).flatten(), move]),
    }
    for kind, numbers in parameters.items():
        matrix, translation = kind(numbers, centre).matrix_and_translation(numbers)
        assert torch.allclose(matrix, rotation, atol=2e-7), kind
        assert torch.equal(translation, move)


def test_a_versor_has_a_scalar_part_of_at_least_zero() -> None:
    rotation = versor_rotation(torch.tensor([0.0, -0.8, 0.3], dtype=torch.float64))
    assert torch.allclose(rigid_parameters(rotation, MOVE)[:3], torch.tensor([0.0, -0.8, 0.3], dtype=torch.float64))
