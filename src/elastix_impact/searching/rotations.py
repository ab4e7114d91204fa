"""Turns to try: spread evenly over all rotations, or over those near none.

A lattice turned by a quarter or half turn about its axes is the same lattice with its axes in another order, so that
what was read on it need not be read again. Evenly spread rotations are therefore made of few `bases` and all such
turns: 24 in 3-D, 4 in 2-D.
"""

import itertools
import math
from dataclasses import dataclass
from functools import cache
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from elastix_impact.geometry.grid import Grid

Rotations = Float[Tensor, "K D D"]
Count = int | Literal["near"]

NEAR = math.radians(30)
"""The largest angle of the near rotations, ..."""

NEAR_STEP = {2: math.radians(5), 3: math.radians(10)}
"""... and the angle between neighbours."""

DENSE = 2400
"""Rotations of which those that are farthest apart become bases."""

_PHI = math.sqrt(2)
_PSI = 1.533751168755204288118041
"""The real root above 1 of x**4 = x + 4."""


@final
@dataclass(frozen=True, eq=False)
class Turns:
    """Rotations to try: each of `bases` after each of `lattice_turns`.

    Attributes
    ----------
    bases
        Float64 (B, D, D).
    lattice_turns
        Turns of the lattice onto itself, rows of 0, 1 and -1 (G, D, D); the first is the identity.
    spacing
        About the angle in radians between neighbours.
    """

    bases: Rotations
    lattice_turns: Rotations
    spacing: float

    @staticmethod
    def of(dimension: int, count: Count) -> "Turns":
        """At least `count` turns spread evenly, or those near none."""
        if count == "near":
            identity = torch.eye(dimension, dtype=torch.float64).unsqueeze(0)
            return Turns(_near(dimension), identity, NEAR_STEP[dimension])
        group = lattice_turns(dimension)
        bases = _bases(dimension, -(-count // len(group)))
        whole = len(bases) * len(group)
        spacing = 2 * math.pi / whole if dimension == 2 else (6 * math.pi / whole) ** (1 / 3)
        return Turns(bases, group, spacing)

    def around(self, found: Rotations, grid: Grid) -> "Turns":
        """The rotations half-way to the neighbours of each of `found` (world frame), of the axes of `grid`."""
        ends = torch.tensor([-1.0, 1.0], dtype=torch.float64)
        if grid.dimension == 2:
            steps = from_vectors(ends.unsqueeze(1) * (self.spacing / 2))
        else:
            steps = from_vectors(torch.cartesian_prod(ends, ends, ends) * (self.spacing / 2 / math.sqrt(3)))
        axes = torch.tensor(grid.direction, dtype=torch.float64)
        bases = (axes.T @ found @ axes).unsqueeze(1) @ steps
        return Turns(bases.flatten(0, 1), self.lattice_turns[:1], self.spacing / 2)


@cache
def lattice_turns(dimension: int) -> Rotations:
    """All rotations that take a square or cubic lattice onto itself, the identity first."""
    found = []
    for order in itertools.permutations(range(dimension)):
        for signs in itertools.product((1.0, -1.0), repeat=dimension):
            matrix = torch.zeros(dimension, dimension, dtype=torch.float64)
            matrix[range(dimension), order] = torch.tensor(signs, dtype=torch.float64)
            if float(torch.linalg.det(matrix)) > 0:
                found.append(matrix)
    return torch.stack(found)


def from_vectors(vectors: Float[Tensor, "K A"]) -> Rotations:
    """Rotations by rotation vectors, axis times angle in radians (K, 3); in 2-D by angles (K, 1)."""
    if vectors.shape[1] == 1:
        cosine, sine = vectors[:, 0].cos(), vectors[:, 0].sin()
        return torch.stack([cosine, -sine, sine, cosine], dim=1).view(-1, 2, 2)
    x, y, z = vectors.unbind(1)
    zero = torch.zeros_like(x)
    return torch.matrix_exp(torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).view(-1, 3, 3))


def angles_between(first: Rotations, second: Rotations) -> Float[Tensor, "..."]:
    """Angles in radians, 0 to pi, of the rotations between those of two sets that fit together by broadcasting."""
    trace = (first * second).sum((-2, -1))
    cosine = trace / 2 if first.shape[-1] == 2 else (trace - 1) / 2
    return cosine.clamp(-1, 1).acos()


def _near(dimension: int) -> Rotations:
    steps = round(NEAR / NEAR_STEP[dimension])
    ticks = torch.arange(-steps, steps + 1, dtype=torch.float64) * NEAR_STEP[dimension]
    vectors = ticks.unsqueeze(1) if dimension == 2 else torch.cartesian_prod(ticks, ticks, ticks)
    lengths = vectors.norm(dim=1)
    order = lengths.argsort(stable=True)
    return from_vectors(vectors[order][lengths[order] <= NEAR + 1e-9])


@cache
def _bases(dimension: int, count: int) -> Rotations:
    """Rotations that with the lattice's turns fill all rotations evenly; in 3-D each is the farthest from those before.

    They are taken from a super-Fibonacci spiral: Alexa, "Super-Fibonacci spirals: fast, low-discrepancy sampling of
    SO(3)", CVPR 2022.
    """
    if dimension == 2:
        return from_vectors(torch.arange(count, dtype=torch.float64).unsqueeze(1) * (math.pi / 2 / count))
    group, dense = lattice_turns(3), _spiral(max(DENSE, 4 * count))
    bases = [torch.eye(3, dtype=torch.float64)]
    least = torch.full((len(dense),), math.inf, dtype=torch.float64)
    while True:
        least = torch.minimum(least, angles_between(dense.unsqueeze(1), bases[-1] @ group).amin(1))
        if len(bases) == count:
            return torch.stack(bases)
        bases.append(dense[int(least.argmax())])


def _spiral(count: int) -> Rotations:
    """Evenly spread rotations, by their unit quaternions."""
    place = torch.arange(count, dtype=torch.float64) + 0.5
    share = place / count
    inner, outer = share.sqrt(), (1 - share).sqrt()
    alpha, beta = 2 * math.pi * place / _PHI, 2 * math.pi * place / _PSI
    x, y, z, w = inner * alpha.sin(), inner * alpha.cos(), outer * beta.sin(), outer * beta.cos()
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=1).view(-1, 3, 3)
