"""The covariance of a lattice's weights beside the matrix itself, and its groups and tables by hand."""

import pytest
import torch

from elastix_impact.optimizers import lattice_covariance
from elastix_impact.optimizers.lattice_covariance import _group, _pair_slots, quadratic_forms

STENCILS = {"a line": [0, 1, 2], "a square": [0, 1, 7, 8], "the last first": [8, 7, 1, 0]}


def dense_forms(weights: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    rows = torch.zeros(len(weights), int(indices.max()) + 1, dtype=torch.float64)
    rows.scatter_(1, indices, weights.double())
    return ((rows @ (rows.T @ rows / len(rows))) * rows).sum(1)


@pytest.mark.parametrize("table_size", [1, 40, 1 << 25])
@pytest.mark.parametrize("groups", [1, 3, 512])
@pytest.mark.parametrize("stencil", STENCILS)
def test_forms_are_those_of_the_matrix(
    stencil: str, groups: int, table_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells with one sample, with none, and with more than a group holds."""
    monkeypatch.setattr(lattice_covariance, "_GROUPS", groups)
    monkeypatch.setattr(lattice_covariance, "_TABLE_SIZE", table_size)
    generator = torch.Generator().manual_seed(3)
    first = torch.cat([torch.randint(5, 30, (200,), generator=generator), torch.full((75,), 11), torch.tensor([60])])
    first = first[torch.randperm(len(first), generator=generator)]
    weights = torch.rand(len(first), len(STENCILS[stencil]), generator=generator)
    indices = first.unsqueeze(1) + torch.tensor(STENCILS[stencil])
    forms = quadratic_forms(weights, indices)
    torch.testing.assert_close(forms.double(), dense_forms(weights, indices), rtol=1e-5, atol=1e-6)


def test_nodes_that_are_no_translates_are_refused() -> None:
    with pytest.raises(ValueError, match="translates"):
        quadratic_forms(torch.ones(2, 2), torch.tensor([[0, 1], [3, 5]]))


def test_groups_hold_up_to_32_samples_of_one_cell() -> None:
    first = torch.tensor([4] * 3 + [5] * 70 + [9] * 32 + [10] * 33)
    groups = _group(first)
    assert groups.row.tolist() == [4, 5, 5, 5, 9, 10, 10]
    assert groups.start.tolist() == [0, 3, 35, 67, 73, 105, 137]
    assert groups.count.tolist() == [3, 32, 32, 6, 32, 32, 1]


def test_pairs_of_nodes_have_a_row_by_the_lower_node_and_a_column_by_their_distance() -> None:
    """Distances of the nodes 0, 1 and 7 are 0, 1, 6 and 7."""
    pairs = _pair_slots(torch.tensor([0, 1, 7]))
    assert (pairs.columns, pairs.reach) == (4, 7)
    assert pairs.slot.tolist() == [[0, 1, 3], [1, 4, 4 + 2], [3, 4 + 2, 28]]
    assert pairs.upper.tolist() == [[True, True, True], [False, True, True], [False, False, True]]
