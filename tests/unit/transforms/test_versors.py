"""Versors of rotations: every branch of the formula, and back."""

import math

import pytest
import torch

from elastix_impact.transforms.linear import versor_of, versor_rotation

AXES = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, -2.0, 0.5), (-0.3, 0.2, 2.0), (-1.0, -1.0, -1.0)]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("degrees", [0.0, 1e-6, 5.0, 60.0, 91.0, 119.0, 121.0, 150.0, 179.0, 179.99])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_rotation_is_that_of_its_versor(axis: tuple[float, ...], degrees: float, sign: int) -> None:
    unit = torch.nn.functional.normalize(torch.tensor(axis, dtype=torch.float64), dim=0)
    versor = sign * math.sin(math.radians(degrees) / 2) * unit
    torch.testing.assert_close(versor_of(versor_rotation(versor)), versor, rtol=0, atol=1e-10)
