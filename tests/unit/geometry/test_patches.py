"""Patches read axis by axis give what every point by itself gives."""

import math
from dataclasses import replace

import pytest
import torch

from elastix_impact.geometry.field import ScalarField
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.patches import Patches, block_widths
from elastix_impact.transforms.affine import AffineTransform, identity_parameters
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform

COS, SIN = math.cos(0.4), math.sin(0.4)
AXES = {
    "straight": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "oblique": ((COS, -SIN, 0.0), (SIN, COS, 0.0), (0.0, 0.0, 1.0)),
    "flipped": ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
}


def _grid(direction, size=(14, 12, 10), spacing=(2.0, 2.5, 3.0)):
    dimension = len(size)
    rows = tuple(row[:dimension] for row in direction[:dimension])
    return Grid(size, spacing, (-12.0, -14.0, 9.0)[:dimension], rows)


def _patches(grid, size=(5, 3, 4), spacing=(1.5, 2.0, 2.5), count=60, beyond=2.0):
    dimension = grid.dimension
    lattice = replace(grid, size=size[:dimension], spacing=spacing[:dimension], origin=(-1.0, 0.5, 2.0)[:dimension])
    extent = torch.tensor(grid.size) - 1 + 2 * beyond
    index = torch.rand(count, dimension, generator=torch.Generator().manual_seed(0)) * extent - beyond
    return Patches(grid.to_world(index), lattice.world_points(torch.float32), lattice)


def _turned(patches):
    """The same points without their lattice: they are taken one by one."""
    return replace(patches, lattice=None)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("dimension", [2, 3])
def test_a_spline_maps_patches_as_it_maps_points(axes, order, dimension):
    if dimension == 2 and axes == "flipped":
        pytest.skip("the flip is 3-D")
    grid = _grid(AXES[axes], (14, 12, 10)[:dimension], (2.0, 2.5, 3.0)[:dimension])
    parameters = torch.randn(dimension * grid.number_of_voxels, generator=torch.Generator().manual_seed(1))
    patches = _patches(grid)  # some points lie outside the valid region and stay where they are
    assert patches.separable_on(grid, order)
    leaf = parameters.requires_grad_()
    transform = BSplineTransform(leaf, grid, order)
    mapped, expected = transform.map_patches(patches), transform.map_patches(_turned(patches))
    torch.testing.assert_close(mapped, expected, rtol=0, atol=2e-5)
    weights = torch.randn(mapped.shape, generator=torch.Generator().manual_seed(2))
    gradients = [torch.autograd.grad((points * weights).sum(), leaf)[0] for points in (mapped, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("combination", ["Compose", "Add"])
def test_a_chain_maps_patches_as_it_maps_points(combination):
    grid = _grid(AXES["oblique"])
    spline = BSplineTransform(torch.randn(3 * grid.number_of_voxels), grid)
    turn = torch.tensor([0.1, -0.05, 0.02, 0.03, -0.1, 0.05, 0.0, 0.02, 0.1, 1.0, 2.0, -1.0])
    affine = AffineTransform(identity_parameters(3).float() + turn, (0.0, 0.0, 0.0))
    patches = _patches(grid)
    for chain in (CompositeTransform(affine, spline, combination), CompositeTransform(spline, affine, combination)):
        torch.testing.assert_close(chain.map_patches(patches), chain.map_patches(_turned(patches)), rtol=0, atol=5e-5)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("axes", AXES)
def test_an_image_is_read_on_patches_as_at_points(axes, order):
    grid = _grid(AXES[axes])
    field = ScalarField.from_volume(torch.rand(grid.shape, generator=torch.Generator().manual_seed(3)), grid, order)
    patches = _patches(grid, beyond=-2.5)  # up to two voxels beyond the image
    found, expected = field.patch_values(patches), field.patch_values(_turned(patches))
    assert found.shape == (60, 60, 1)
    agree = (found - expected).abs() < 1e-4
    assert agree.float().mean() > (0.999 if order == 0 else 0.99999)  # a rounded index may fall to either side


def test_wide_steps_on_a_fine_grid_are_read_point_by_point():
    grid = _grid(AXES["straight"])
    assert not _patches(grid, spacing=(20.0, 20.0, 20.0)).separable_on(grid, 1)
    assert not _patches(_grid(AXES["oblique"])).separable_on(grid, 3)
    assert not _turned(_patches(grid)).separable_on(grid, 3)


@pytest.mark.parametrize(("step", "order", "width"), [(1.0, 3, 8), (0.25, 3, 5), (0.3, 3, 6), (2.0, 1, 10)])
def test_the_width_of_a_block_holds_every_tap_wherever_the_patch_lies(step, order, width):
    patch = Grid.axis_aligned((5, 5), (step, step))
    assert block_widths(patch, (1.0, 1.0), order)[0] == width
    first = torch.linspace(0, 1, 999, dtype=torch.float64)[:, None] + torch.arange(5) * step
    taps = (first - (order - 1) / 2).floor()
    assert (taps.amax(1) - taps.amin(1)).max() + order + 1 == width


def test_pieces_hold_the_same_points():
    patches = _patches(_grid(AXES["straight"]))
    joined = torch.cat([piece.points for piece in patches.split(7)])
    assert torch.equal(joined, patches.points)
    each = replace(patches, offsets=torch.randn(60, 60, 3), lattice=None)
    assert torch.equal(torch.cat([piece.points for piece in each.split(7)]), each.points)
