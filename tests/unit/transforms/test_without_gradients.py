"""Transforms for reading only: the same map and the same derivatives."""

import pytest
import torch

from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import Combination, CompositeTransform
from transform_samples import GRIDS, points_inside, samples

SHAPES = {name: samples(grid) for name, grid in GRIDS.items()}


@pytest.mark.parametrize(("grid", "kind"), [(grid, kind) for grid, kinds in SHAPES.items() for kind in kinds])
def test_every_kind(grid: str, kind: str) -> None:
    transform, points = SHAPES[grid][kind], points_inside(GRIDS[grid])
    reading = transform.without_gradients()
    assert type(reading) is type(transform)
    torch.testing.assert_close(reading.map_points(points), transform.map_points(points), rtol=0, atol=1e-10)
    exact = transform.spatial_jacobian(points)
    torch.testing.assert_close(reading.spatial_jacobian(points), exact, rtol=0, atol=1e-12)


@pytest.mark.parametrize("combination", ["Compose", "Add"])
def test_composites_read_both_parts(combination: Combination) -> None:
    kinds, points = SHAPES["oblique anisotropic"], points_inside(GRIDS["oblique anisotropic"])
    both = CompositeTransform(CompositeTransform(kinds["euler"], kinds["spline 3"]), kinds["spline 2"], combination)
    reading = both.without_gradients()
    assert isinstance(reading.initial, CompositeTransform)
    for part in (reading.initial.current, reading.current):
        assert isinstance(part, BSplineTransform)
        assert not part.has_gradients
    torch.testing.assert_close(reading.map_points(points), both.map_points(points), rtol=0, atol=1e-10)
    torch.testing.assert_close(reading.spatial_jacobian(points), both.spatial_jacobian(points), rtol=0, atol=1e-12)
