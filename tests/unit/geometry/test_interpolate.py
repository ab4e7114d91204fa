"""Interpolation against scipy, SimpleITK and finite differences."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy import ndimage

from elastix_impact.geometry.domain import Domain
from elastix_impact.geometry.field import Field, ScalarField
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.interpolate import grid_chunks, is_inside, resize
from elastix_impact.geometry.patches import Patches

OBLIQUE = Grid((7, 6, 5), (1.5, 2.0, 3.0), (10.0, -5.0, 4.0), ((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, -1.0)))
FLAT = Grid((7, 6), (1.5, 2.0), (10.0, -5.0), ((0.0, -1.0), (1.0, 0.0)))


def _volume(grid, channels, generator):
    return torch.rand(channels, *grid.shape, generator=generator, dtype=torch.float64)


def _points_inside(grid, count, generator):
    size = torch.tensor(grid.size, dtype=torch.float64) - 1
    return grid.to_world(torch.rand(count, grid.dimension, generator=generator, dtype=torch.float64) * size)


@pytest.mark.parametrize("grid", [OBLIQUE, FLAT], ids=["3d", "2d"])
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_values_agree_with_scipy(grid, order, generator):
    volume = _volume(grid, 3, generator)
    points = _points_inside(grid, 200, generator)
    zyx = grid.to_index(points).flip(-1).T.numpy()
    expected = np.stack([ndimage.map_coordinates(c, zyx, order=order, mode="mirror") for c in volume.numpy()], axis=-1)
    got = Field.from_volume(volume, grid, order).values(points)
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("grid", [OBLIQUE, FLAT], ids=["3d", "2d"])
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_the_rim_is_held_or_for_splines_mirrored(grid, order, generator):
    """Between the outermost voxels' centres and half a voxel beyond them; scipy says what is there."""
    volume = _volume(grid, 1, generator)
    size = torch.tensor(grid.size, dtype=torch.float64)
    inside = torch.rand(400, grid.dimension, generator=generator, dtype=torch.float64) * (size - 0.02) - 0.49
    axis, end = torch.arange(400) % grid.dimension, torch.arange(400) // 200
    depth = 0.05 + 0.43 * torch.rand(400, generator=generator, dtype=torch.float64)
    inside[torch.arange(400), axis] = torch.where(end == 0, -depth, size[axis] - 1 + depth)
    mode = "nearest" if order < 2 else "mirror"
    expected = ndimage.map_coordinates(
        ndimage.spline_filter(volume[0].numpy(), order, mode="mirror") if order > 1 else volume[0].numpy(),
        inside.flip(-1).T.numpy(), order=order, mode=mode, prefilter=False,
    )  # fmt: skip
    points = grid.to_world(inside)
    np.testing.assert_allclose(Field.from_volume(volume, grid, order).values(points)[:, 0], expected, atol=1e-9)
    scalar = ScalarField.from_volume(volume[0], grid, order)
    np.testing.assert_allclose(scalar.values(points)[:, 0], expected, atol=1e-9)
    corner = replace(grid, size=(2,) * grid.dimension, origin=(0.0,) * grid.dimension)
    patches = Patches(points, corner.world_points(), corner)
    assert patches.separable_on(grid, order) is (order > 0)
    np.testing.assert_allclose(scalar.patch_values(patches)[:, 0, 0], expected, atol=1e-9)


@pytest.mark.parametrize("grid", [OBLIQUE, FLAT], ids=["3d", "2d"])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivative_agrees_with_finite_differences_and_with_autograd(grid, order, generator):
    field = Field.from_volume(_volume(grid, 2, generator), grid, order)
    points = _points_inside(grid, 10, generator).requires_grad_()
    assert torch.autograd.gradcheck(field.values, (points,), eps=1e-6, atol=1e-5)


def test_values_do_not_depend_on_the_chunk(generator, monkeypatch):
    field = Field.from_volume(_volume(OBLIQUE, 4, generator), OBLIQUE, 3)
    points = _points_inside(OBLIQUE, 100, generator).requires_grad_()
    (whole,) = torch.autograd.grad(field.values(points).square().sum(), points)
    monkeypatch.setattr("elastix_impact.geometry.field.CHUNK", 7)
    (pieces,) = torch.autograd.grad(field.values(points).square().sum(), points)
    torch.testing.assert_close(whole, pieces)


@pytest.mark.parametrize("order", [1, 3])
def test_points_beyond_the_image_stay_finite(order, generator):
    field = Field.from_volume(_volume(OBLIQUE, 1, generator).float(), OBLIQUE, order)
    far = torch.tensor([[1e4, -1e4, 3e3], [0.0, 0.0, 0.0]])
    assert field.values(far).isfinite().all()


@pytest.mark.parametrize("order", [0, 1, 3])
def test_resize_agrees_with_simpleitk(order, generator):
    volume = _volume(OBLIQUE, 1, generator)[0]
    size, spacing = (5, 9, 6), (2.0, 1.1, 2.3)
    image = sitk.GetImageFromArray(volume.numpy())
    image.SetSpacing(OBLIQUE.spacing)
    interpolator = {0: sitk.sitkNearestNeighbor, 1: sitk.sitkLinear, 3: sitk.sitkBSpline}[order]
    expected = sitk.GetArrayFromImage(
        sitk.Resample(
            image, size, sitk.Transform(), interpolator, (0, 0, 0), spacing, (1, 0, 0, 0, 1, 0, 0, 0, 1), -9.0
        )
    )
    got = resize(volume, size, tuple(a / b for a, b in zip(spacing, OBLIQUE.spacing)), order).numpy()
    inside = expected != -9.0
    assert inside.mean() > 0.5
    np.testing.assert_allclose(got[inside], expected[inside], atol=1e-6)


def test_inside_is_half_a_voxel_around_the_voxel_centres():
    index = torch.tensor([[-0.5, 0.0], [-0.51, 0.0], [6.49, 5.49], [6.5, 0.0], [3.0, 2.0]])
    assert is_inside(index, FLAT).tolist() == [True, False, True, False, True]


def test_domain_counts_points_inside_image_and_mask(generator):
    mask = torch.rand(OBLIQUE.shape, generator=generator) > 0.5
    domain = Domain.of(OBLIQUE, Image(mask, OBLIQUE, "mask"), "cpu")
    voxels = OBLIQUE.world_points(torch.float32)
    assert torch.equal(domain.weights(voxels) > 0, mask.flatten())
    assert domain.weights(voxels + 100.0).sum() == 0


@pytest.mark.parametrize("grid", [OBLIQUE, FLAT], ids=["3d", "2d"])
def test_grid_chunks_cover_the_grid_in_order(grid):
    points = torch.cat(list(grid_chunks(grid, "cpu")))
    torch.testing.assert_close(points, grid.world_points(torch.float32), atol=1e-4, rtol=0)


@pytest.mark.parametrize("grid", [OBLIQUE, FLAT], ids=["3d", "2d"])
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_a_scalar_field_is_a_field_of_one_channel(grid, order, generator):
    volume = _volume(grid, 1, generator)
    points = torch.cat(
        [_points_inside(grid, 100, generator), grid.to_world(torch.full((1, grid.dimension), -0.4).double())]
    )
    fields = ScalarField.from_volume(volume[0], grid, order), Field.from_volume(volume, grid, order)
    got, expected = (field.per_chunk(points, derivatives=order > 0) for field in fields)
    torch.testing.assert_close(got[0], expected[0])
    torch.testing.assert_close(got[1], expected[1])
