"""Derivatives of splines between control points, by the matrix that takes neighbours' differences."""

import pytest
import torch

from elastix_impact.metrics.nodes import _at_nodes, _band

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


@pytest.mark.parametrize("side", [1 / 6, 1 / 8])
def test_three_neighbours_give_value_slope_and_bend(side: float) -> None:
    """On 5 - 2 i + 3 i^2 at i = 0: 5 and twice `side` times 3, a slope of -2, a bend of 6."""
    numbers = torch.tensor([5 + 2 + 3.0, 5.0, 5 - 2 + 3.0], dtype=torch.float64)
    found = torch.tensor(_at_nodes(side), dtype=torch.float64) @ numbers
    torch.testing.assert_close(found, torch.tensor([5 + 6 * side, -2.0, 6.0], dtype=torch.float64))
