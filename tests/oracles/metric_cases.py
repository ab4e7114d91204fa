"""Images, masks, transforms and the comparison with elastix for the oracle tests of metrics."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from elastix_steps import Step, elastix_steps, noise

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.metrics.base import AbstractMetric, MetricValue
from elastix_impact.registration.measure import value_and_gradient
from elastix_impact.samplers.fixed import FullSampler
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.affine import identity_parameters as affine_identity
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.bspline import identity_parameters as spline_identity
from elastix_impact.transforms.euler import EulerTransform
from elastix_impact.transforms.euler import identity_parameters as euler_identity
from elastix_impact.transforms.lattice import required_lattice

OBLIQUE = ((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 1.0))
GRIDS = {
    2: Grid((34, 30), (2.0, 2.5), (200.0, -75.0), ((0.8, -0.6), (0.6, 0.8))),
    3: Grid((20, 18, 16), (2.0, 2.5, 3.0), (200.0, -75.0, -1000.0), OBLIQUE),
}
OFFSET = {2: (1.7, -2.2), 3: (1.7, -2.2, 2.6)}
SPACING_MM = 14.0


@dataclass(frozen=True)
class Case:
    """A metric in both worlds: `make(fixed, moving, fixed_mask, moving_mask)` and elastix's parameters."""

    make: Callable[[Image, Image, Image | None, Image | None], AbstractMetric]
    entries: dict[str, list[object]]


@dataclass(frozen=True)
class Pair:
    fixed: Image
    moving: Image
    masks: Mapping[str, Image] = field(default_factory=dict)

    def shifted(self) -> "Pair":
        """In the loop's frame: the fixed image's centre is the origin."""
        offset = tuple(-c for c in self.fixed.grid.centre)
        masks = {role: mask.shifted(offset) for role, mask in self.masks.items()}
        return Pair(self.fixed.shifted(offset), self.moving.shifted(offset), masks)


def start_transform(kind: str, grid: Grid) -> tuple[AbstractTransform, dict[str, list[object]]]:
    """The transform that elastix starts from, float64 in the world frame, and how to ask for it."""
    if kind == "BSpline":
        lattice = required_lattice(grid, (SPACING_MM,) * grid.dimension, 3)
        spline = BSplineTransform(spline_identity(lattice), lattice)
        return spline, {"Transform": ["BSplineTransform"], "FinalGridSpacingInPhysicalUnits": [SPACING_MM]}
    identity, make = {"Affine": (affine_identity, AffineTransform), "Euler": (euler_identity, EulerTransform)}[kind]
    start = make(identity(grid.dimension), grid.centre)
    entries = {"Transform": [f"{kind}Transform"], "CenterOfRotationPoint": list(grid.centre)}
    return start, entries | {"Scales": [1.0] * len(start.parameters)}


def ours(case: Case, pair: Pair, transform: AbstractTransform) -> tuple[MetricValue, torch.Tensor]:
    """Value and derivative at every voxel of the fixed image, in float32, as the loop computes them."""
    offset = tuple(-c for c in pair.fixed.grid.centre)
    local = pair.shifted()
    metric = case.make(local.fixed, local.moving, local.masks.get("fixed"), local.masks.get("moving"))
    sampling_mask = local.masks["fixed"].data if "fixed" in local.masks else None
    world_points = FullSampler(local.fixed.grid, sampling_mask, "cpu").draw()
    in_loop = transform.shifted(offset).to(torch.float32)
    measured, gradient = value_and_gradient(metric, in_loop, in_loop.parameters, world_points)
    return measured, gradient.double()


def gain_for(case: Case, pair: Pair, start: AbstractTransform, step_mm: float = 1.5) -> float:
    """The gain with which the first step moves points by about `step_mm` at most."""
    _, gradient = ours(case, pair, start)
    world_points = pair.fixed.grid.world_points()
    tiny = 1e-7 / float(gradient.abs().max())
    moved = start.with_parameters(start.parameters - tiny * gradient).map_points(world_points)
    return float(tiny * step_mm / (moved - start.map_points(world_points)).norm(dim=1).max())


def assert_values_agree(step: Step, measured: MetricValue) -> None:
    assert float(measured.value.detach()) == pytest.approx(step.value, rel=1e-5, abs=1e-6)


def assert_derivatives_agree(step: Step, gradient: torch.Tensor, tolerance: float = 1e-4) -> None:
    """The angle between them is below the square root of a hundredth of the tolerance."""
    assert torch.cosine_similarity(gradient, step.derivative, dim=0).item() > 1 - tolerance / 100
    assert (gradient.norm() / step.derivative.norm()).item() == pytest.approx(1.0, abs=tolerance)


def run(case: Case, pair: Pair, kind: str, folder: Path) -> list[Step]:
    """Two iterations of elastix: the second one is not at the identity."""
    start, entries = start_transform(kind, pair.fixed.grid)
    gain = gain_for(case, pair, start)
    steps = elastix_steps(
        folder, pair.fixed, pair.moving, start, gain=gain, masks=pair.masks, **(entries | case.entries)
    )
    assert len(steps) == 2
    return steps


def check(case: Case, pair: Pair, kind: str, folder: Path, tolerance: float = 1e-4) -> None:
    for step in run(case, pair, kind, folder):
        measured, gradient = ours(case, pair, step.transform)
        assert_values_agree(step, measured)
        assert_derivatives_agree(step, gradient, tolerance)


def ball(grid: Grid, radius: float) -> Image:
    """A mask of its own shape: the voxels of `grid` within `radius` voxels of its first third."""
    middle = torch.tensor([n / 3 for n in grid.size], dtype=torch.float64)
    inside = (grid.index_points() - middle).norm(dim=1) < radius
    return Image(inside.reshape(grid.shape), grid)


def make_pair(dimension: int, *, masked: bool) -> Pair:
    """Smooth noise and itself moved, a moving mask on a coarser turned grid, a fixed one."""
    grid = GRIDS[dimension]
    fixed = noise(grid, 1, world_offset=(0.0,) * dimension)
    moving = noise(grid, 1, world_offset=OFFSET[dimension])
    if not masked:
        return Pair(fixed, moving)
    coarse = Grid.axis_aligned((30,) * dimension, (4.1,) * dimension)
    coarse = coarse.shifted(tuple(a - b for a, b in zip(grid.centre, coarse.centre)))
    return Pair(fixed, moving, {"fixed": ball(grid, 9.0), "moving": ball(coarse, 11.0)})
