"""Derivatives of splines between control points, by the matrix that takes neighbours' differences."""

import torch

from elastix_impact.metrics.nodes import _band

CPU = torch.device("cpu")


def test_a_band_holds_the_taps_times_the_factor() -> None:
    expected = [[2.0, -4.0, 6.0, 0.0, 0.0], [0.0, 2.0, -4.0, 6.0, 0.0], [0.0, 0.0, 2.0, -4.0, 6.0]]
    assert _band(5, (1.0, -2.0, 3.0), 2.0, torch.float64, CPU).tolist() == expected


def test_too_few_nodes_give_no_row() -> None:
    assert _band(2, (1.0, -2.0, 1.0), 1.0, torch.float64, CPU).shape == (0, 2)
    assert _band(1, (1.0, -2.0, 1.0), 1.0, torch.float64, CPU).shape == (0, 1)


def test_a_band_made_under_inference_mode_serves_gradients() -> None:
    _band.cache_clear()
    with torch.inference_mode():
        assert not _band(4, (-1.0, 1.0), 0.5, torch.float32, CPU).is_inference()
