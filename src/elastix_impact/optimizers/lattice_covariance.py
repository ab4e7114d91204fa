"""The covariance of a lattice's weights, K = 1/N sum_n w_n w_n^T, seen through w_n^T K w_n without ever forming it.

Samples in the same cell of the lattice share their nodes, so their products are summed per cell first. The sums go
into a table of the node pairs that can occur: a row per node, a column per distance between two nodes of a stencil.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from elastix_impact.typing import Indices, Weights, Weights1

_SAMPLES_PER_GROUP = 32
"""Samples whose products are summed at once; cells with more are split."""

_GROUPS = 512
"""Groups handled at once: for 64 taps about 40 MB of temporary tables."""

_TABLE_SIZE = 1 << 25
"""Numbers in one slab of the table (128 MB in float32)."""


class _Groups(NamedTuple):
    """Samples sorted by cell and cut into groups of one cell: `start` and `count` of each, `row` of its lowest node."""

    row: Tensor
    start: Tensor
    count: Tensor


class _Pairs(NamedTuple):
    """Where the pairs of a stencil's nodes are in the table, relative to the group's row.

    `slot` (T, T) is symmetric; `upper` flags one of (a, b) and (b, a); the table has `columns`; a stencil spans
    `reach` rows beyond its first.
    """

    slot: Tensor
    upper: Tensor
    columns: int
    reach: int


def quadratic_forms(weights: Weights, indices: Indices) -> Weights1:
    """w_n^T K w_n of every sample n (N,), float32, on the CPU.

    Parameters
    ----------
    weights
        (N, K) float32 weights of the samples' nodes.
    indices
        (N, K) node numbers; all rows are translates of one stencil, as on every regular lattice.
    """
    stencil = indices[0] - indices[0].min()
    first = indices[:, 0] - stencil[0]
    if not torch.equal(indices, first.unsqueeze(1) + stencil):
        raise ValueError("the nodes of the samples are not translates of one stencil")
    order = first.argsort(stable=True)
    sorted_weights = weights[order]
    groups, pairs = _group(first[order]), _pair_slots(stencil)
    forms = torch.empty_like(sorted_weights[:, 0])
    step = max(_TABLE_SIZE // pairs.columns - 3 * pairs.reach, pairs.reach + 1)
    begin, end = int(groups.row[0]), int(groups.row[-1]) + 1
    for low in range(begin, end, step):
        high = min(low + step, end)
        inside = _between(groups, low, high)
        if inside.row.numel() == 0:
            continue
        table = _table(sorted_weights, groups, pairs, low, high)
        _read(forms, table, sorted_weights, inside, pairs, low - pairs.reach)
    result = torch.empty_like(forms)
    result[order] = forms / weights.shape[0]
    return result


def _group(first: Tensor) -> _Groups:
    """Groups of at most 32 samples with the same `first` node, which ascends."""
    number = first.shape[0]
    _, cell_counts = first.unique_consecutive(return_counts=True)
    cell_starts = (cell_counts.cumsum(0) - cell_counts).repeat_interleave(cell_counts)
    part = (torch.arange(number) - cell_starts) // _SAMPLES_PER_GROUP
    keys, counts = (first * number + part).unique_consecutive(return_counts=True)
    return _Groups(keys // number, counts.cumsum(0) - counts, counts)


def _pair_slots(stencil: Tensor) -> _Pairs:
    distance = (stencil.unsqueeze(1) - stencil).abs()
    distances, column = distance.unique(return_inverse=True)
    row = torch.minimum(stencil.unsqueeze(1), stencil.expand_as(distance))
    upper = stencil.unsqueeze(1) <= stencil
    return _Pairs(row * distances.numel() + column, upper, distances.numel(), int(stencil.max()))


def _between(groups: _Groups, low: int, high: int) -> _Groups:
    """The groups whose row is in [low, high)."""
    first, last = torch.searchsorted(groups.row, torch.tensor([low, high])).tolist()
    return _Groups(*(field[first:last] for field in groups))


def _table(weights: Weights, groups: _Groups, pairs: _Pairs, low: int, high: int) -> Tensor:
    """Sums of products of all pairs of nodes that groups with rows in [low, high) touch, flat (slots,), row by row.

    Its first row is that of node `low - reach`.
    """
    bottom, reach = low - pairs.reach, pairs.reach
    table = weights.new_zeros((high - low + 3 * reach) * pairs.columns)
    slots = pairs.slot[pairs.upper]
    near = _between(groups, bottom, high + reach)
    for rows, padded, _ in _padded_weights(weights, near):
        products = (padded.mT @ padded)[:, pairs.upper]
        places = (rows - bottom).unsqueeze(1) * pairs.columns + slots
        table.scatter_add_(0, places.flatten(), products.flatten())
    return table


def _read(forms: Tensor, table: Tensor, weights: Weights, groups: _Groups, pairs: _Pairs, bottom: int) -> None:
    """Fill in the entries of `forms` that belong to `groups` from their sums in the table."""
    filled = int(groups.start[0])
    for rows, padded, valid in _padded_weights(weights, groups):
        places = ((rows - bottom) * pairs.columns).view(-1, 1, 1) + pairs.slot
        sums = table.take(places)
        values = ((padded @ sums) * padded).sum(-1)
        taken = values[valid]
        forms[filled : filled + taken.numel()] = taken
        filled += taken.numel()


def _padded_weights(weights: Weights, groups: _Groups) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """For a few hundred groups at a time: rows (B,), weights (B, m, K), and flags (B, m) of what is not padding."""
    for rows, start, count in zip(*(field.split(_GROUPS) for field in groups)):
        place = torch.arange(int(count.max()))
        valid = place < count.unsqueeze(1)
        samples = (start.unsqueeze(1) + place).clamp(max=weights.shape[0] - 1)
        yield rows, weights[samples] * valid.unsqueeze(-1), valid
