"""Layers as one number, by hand: first values, weights, subsets."""

import pytest
import torch

from elastix_impact.errors import ModelError
from elastix_impact.metrics.impact.layers import LayerComparison, LayerSum, check_layers, draw_subset

ALL = 99
ONES = torch.ones(4)
COUNT = torch.tensor(4.0)


def pair(difference: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of four samples in three channels that differ by so much everywhere."""
    return torch.zeros(4, 3), torch.full((4, 3), difference)


def test_values_are_divided_by_their_first_one() -> None:
    """L2 of 0.5 is 0.25, below 1 on purpose; L1 is 2, then 3. Cosine and the inner product stay as they are."""
    layers = [LayerComparison("L2", 3.0, ALL, 0), LayerComparison("L1", 0.5, ALL, 0)]
    both = LayerSum(layers, torch.Generator())
    value, parts = both.evaluate([pair(0.5), pair(2.0)], ONES, COUNT)
    assert float(value) == pytest.approx(3.0 + 0.5)
    assert {name: float(part) for name, part in parts.items()} == pytest.approx({"L2 layer 0": 0.25, "L1 layer 1": 2.0})
    value, parts = both.evaluate([pair(1.0), pair(3.0)], ONES, COUNT)
    assert float(value) == pytest.approx(3.0 * 4 + 0.5 * 1.5)
    assert {name: float(part) for name, part in parts.items()} == pytest.approx({"L2 layer 0": 1.0, "L1 layer 1": 3.0})


def test_a_first_value_of_zero_divides_by_nothing() -> None:
    one = LayerSum([LayerComparison("L2", 1.0, ALL, 0)], torch.Generator())
    assert float(one.evaluate([pair(0.0)], ONES, COUNT)[0]) == 0.0
    assert float(one.evaluate([pair(3.0)], ONES, COUNT)[0]) == pytest.approx(9.0)


def test_other_distances_are_not_divided() -> None:
    same = torch.full((4, 3), 2.0)
    one = LayerSum([LayerComparison("DotProduct", 2.0, ALL, 0)], torch.Generator())
    for _ in range(2):
        assert float(one.evaluate([(same, same)], ONES, COUNT)[0]) == pytest.approx(-24.0)


def test_the_first_value_has_no_gradient() -> None:
    """d/dx of w (x / x0)^2 at x = x0 is 2 w / x0."""
    x = torch.tensor(0.5, requires_grad=True)
    one = LayerSum([LayerComparison("L2", 3.0, ALL, 0)], torch.Generator())
    value, parts = one.evaluate([(torch.zeros(4, 3), x.expand(4, 3))], ONES, COUNT)
    assert float(torch.autograd.grad(value, x)[0]) == pytest.approx(2 * 3.0 / 0.5)
    assert not parts["L2 layer 0"].requires_grad


@pytest.mark.parametrize(("subset", "values"), [(1, {1.0, 16.0, 81.0}), (2, {8.5, 41.0, 48.5}), (3, {98 / 3})])
def test_a_subset_takes_the_same_channels_of_both(subset: int, values: set[float]) -> None:
    """Channels differ by 1, 4 and 9: L2 is the mean of the squares drawn."""
    fixed = torch.tensor([[10.0, 20.0, 30.0]]).expand(4, 3)
    moving = fixed + torch.tensor([1.0, 4.0, 9.0])
    generator, seen = torch.Generator().manual_seed(0), set()
    for _ in range(40):
        one = LayerSum([LayerComparison("L2", 1.0, subset, 0)], generator)
        seen.add(round(float(one.evaluate([(fixed, moving)], ONES, COUNT)[1]["L2 layer 0"]), 3))
    assert seen == {round(value, 3) for value in values}


def test_a_draw_is_without_repetition_and_never_empty() -> None:
    generator, device = torch.Generator().manual_seed(0), torch.device("cpu")
    assert sorted(draw_subset(5, 5, generator, device).tolist()) == [0, 1, 2, 3, 4]
    assert len(set(draw_subset(9, 4, generator, device).tolist())) == 4
    assert draw_subset(5, 0, generator, device).shape == (1,)


@pytest.mark.parametrize(("fixed", "moving", "layers"), [([3], [3, 3], 1), ([3, 3], [3], 1), ([3, 3], [3, 3], 1)])
def test_numbers_of_layers_that_differ_are_refused(fixed: list[int], moving: list[int], layers: int) -> None:
    with pytest.raises(ModelError, match=f"fixed models give {len(fixed)} layers, moving models {len(moving)}"):
        check_layers(fixed, moving, [LayerComparison("L2", 1.0, ALL, 0)] * layers)


def test_channels_that_differ_are_refused_by_layer() -> None:
    layers = [LayerComparison("L2", 1.0, ALL, 0)] * 2
    with pytest.raises(ModelError, match="layer 1 has 4 fixed and 5 moving channels"):
        check_layers([3, 4], [3, 5], layers)
    check_layers([3, 4], [3, 4], layers)
