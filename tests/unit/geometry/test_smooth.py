"""Smoothing, by hand."""

import torch

from elastix_impact.geometry.pyramid import smooth


def test_an_axis_with_sigma_zero_stays_as_it_is() -> None:
    """Rows that differ along x alone are not changed by smoothing along y, and are by smoothing along x."""
    volume = torch.tensor([[0.0, 10.0, 3.0, -4.0]]).repeat(6, 1)
    torch.testing.assert_close(smooth(volume, (0.0, 1.5)), volume)
    assert not torch.allclose(smooth(volume, (1.5, 0.0)), volume, atol=0.5)
    assert smooth(volume, (0.0, 0.0)) is volume


def test_an_axis_of_one_voxel_stays_as_it_is() -> None:
    volume = torch.tensor([[0.0, 10.0, 3.0, -4.0]])
    assert torch.equal(smooth(volume, (0.0, 2.0)), volume)
