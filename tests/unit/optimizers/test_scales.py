"""Automatic scales, by hand."""

import pytest
import torch

from elastix_impact.errors import InputError
from elastix_impact.optimizers.scales import automatic_scales
from elastix_impact.transforms.base import DenseJacobian, KroneckerJacobian


def test_scales_are_mean_squared_displacements() -> None:
    """Two points in the plane: an angle moves them by (0, 3) and (-4, 1), a translation both by (1, 0)."""
    values = torch.tensor([[[0.0, 1.0], [3.0, 0.0]], [[-4.0, 1.0], [1.0, 0.0]]])
    scales = automatic_scales(DenseJacobian(values))
    assert scales.dtype == torch.float64
    assert scales.tolist() == [(9 + 17) / 2, 1.0]


def test_a_parameter_that_moves_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="move no point"):
        automatic_scales(DenseJacobian(torch.tensor([[[1.0, 0.0], [2.0, 0.0]]])))


def test_splines_are_refused() -> None:
    record = KroneckerJacobian(torch.ones(1, 4), torch.zeros(1, 4, dtype=torch.int32), 9, 2)
    with pytest.raises(InputError, match="for linear transforms"):
        automatic_scales(record)
