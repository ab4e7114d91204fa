"""Transforms at all voxels: against SimpleITK's displacement field filters, and inverse fields against the points."""

import pytest
import SimpleITK as sitk
import torch

from elastix_impact.geometry.image import Image
from elastix_impact.io.itk_transform import write_itk_transform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.transforms.dense import (
    determinants,
    displacement_field,
    inverse_jacobian_field,
    inverse_on,
    jacobian_field,
)
from elastix_impact.transforms.displacement_field import DisplacementFieldTransform
from elastix_impact.transforms.lattice import required_lattice
from elastix_impact.transforms.resample import resample
from transform_samples import GRIDS, points_inside, samples

NAMES = ["oblique anisotropic", "flipped", "2d"]


@pytest.fixture
def smooth_image():
    grid = GRIDS["axis aligned"]
    local = grid.world_points() - torch.tensor(grid.centre, dtype=torch.float64)
    values = (local / 9).sin().sum(dim=1) * 100
    return Image(values.float().reshape(grid.shape), grid), grid


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["euler", "spline 3"])
def test_the_field_is_that_of_simpleitk(tmp_path, name, kind):
    grid = GRIDS[name]
    write_itk_transform(tmp_path / "t.h5", samples(grid)[kind])
    itk_field = sitk.TransformToDisplacementField(
        sitk.ReadTransform(str(tmp_path / "t.h5")), sitk.sitkVectorFloat64, grid.size, grid.origin, grid.spacing,
        [value for row in grid.direction for value in row],
    )  # fmt: skip
    expected = torch.from_numpy(sitk.GetArrayFromImage(itk_field)).movedim(-1, 0).float()
    torch.testing.assert_close(displacement_field(samples(grid)[kind], grid), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_jacobians_are_in_row_order_and_their_determinants_are_volumes(name):
    grid = GRIDS[name]
    affine = samples(grid)["affine"]
    matrix, _ = affine.matrix_and_translation(affine.parameters)
    rows = jacobian_field(affine, grid)
    assert rows.shape == (grid.dimension**2, *grid.shape)
    torch.testing.assert_close(
        rows[:, 3, 2], matrix.flatten().float()[(...,) + (None,) * (rows.ndim - 3)].expand_as(rows[:, 3, 2])
    )
    assert determinants(rows).shape == grid.shape
    torch.testing.assert_close(determinants(rows).mean(), torch.linalg.det(matrix).float())


@pytest.mark.parametrize("name", NAMES)
def test_a_field_as_a_transform_moves_its_voxels_and_keeps_what_is_far(name):
    grid = GRIDS[name]
    transform = DisplacementFieldTransform.of(displacement_field(samples(grid)["spline 3"], grid), grid)
    expected = samples(grid)["spline 3"].map_points(grid.world_points())
    torch.testing.assert_close(transform.map_points(grid.world_points()), expected, rtol=0, atol=1e-5)
    far = grid.to_world(torch.full((1, grid.dimension), -3.0, dtype=torch.float64))
    assert torch.equal(transform.map_points(far), far)


@pytest.mark.parametrize("name", NAMES)
def test_the_inverse_on_a_grid_undoes_its_voxels_and_nearly_what_lies_between(name):
    grid = GRIDS[name]
    lattice = required_lattice(grid, (14.0, 12.0, 16.0)[: grid.dimension], 3, samples(grid)["euler"])
    coefficients = torch.rand(grid.dimension * lattice.number_of_voxels, dtype=torch.float64) * 6 - 3
    transform = CompositeTransform(samples(grid)["euler"], BSplineTransform(coefficients, lattice))
    inverse, _ = inverse_on(transform, grid, grid)
    between = points_inside(grid)
    error = (transform.map_points(inverse.map_points(between)) - between).norm(dim=1)
    assert error.mean() < 0.1
    voxels = grid.world_points()
    error = (transform.map_points(inverse.map_points(voxels)) - voxels).norm(dim=1)
    assert error.median() < 1e-6


def test_a_linear_inverse_is_no_field():
    grid = GRIDS["flipped"]
    inverse, inversion = inverse_on(samples(grid)["affine"], grid)
    assert inverse.is_linear
    assert inversion is None
    points = points_inside(grid)
    torch.testing.assert_close(
        inverse.map_points(samples(grid)["affine"].map_points(points)), points, rtol=0, atol=1e-9
    )


def test_the_inverse_jacobian_is_the_inverse_matrix_where_the_point_comes_from():
    grid = GRIDS["oblique anisotropic"]
    transform = samples(grid)["spline 3"]
    inverse, _ = inverse_on(transform, grid, grid)
    rows = inverse_jacobian_field(transform, inverse, grid)
    place = torch.tensor([[10.0, 12.0, 8.0]], dtype=torch.float64)
    origin = inverse.map_points(grid.to_world(place))
    expected = torch.linalg.inv(transform.spatial_jacobian(origin))[0].flatten().float()
    torch.testing.assert_close(rows[:, 8, 12, 10], expected, rtol=1e-5, atol=1e-5)


def test_resampling_there_and_back_restores_the_image(smooth_image):
    image, grid = smooth_image
    transform = samples(grid)["spline 3"]
    there = resample(image, transform, grid, 3, 0.0)
    moved = Image(there, grid)
    back = resample(moved, inverse_on(transform, grid, grid)[0], grid, 3, 0.0)
    inner = (slice(5, -5),) * 3
    assert (back[inner] - image.data[inner]).abs().mean() < 0.15 * (there[inner] - image.data[inner]).abs().mean()
