"""The Python function: an image through a transform and through its inverse."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from elastix_impact import Image, apply_transform, invert_points, read_initial_transform, read_labels
from elastix_impact.errors import ImageError, InputError
from elastix_impact.io.itk_transform import write_itk_transform
from transform_samples import GRIDS, points_inside, samples

NAMES = ["flipped", "2d"]


def picture(grid):
    local = grid.world_points() - torch.tensor(grid.centre, dtype=torch.float64)
    return Image((local / 6).cos().prod(dim=1).float().reshape(grid.shape) * 100, grid, "picture", "short")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("order", [0, 1, 3])
def test_it_is_what_simpleitk_gives(tmp_path, name, order):
    grid = GRIDS[name]
    write_itk_transform(tmp_path / "t.h5", samples(grid)["affine"])
    image = picture(grid)
    got = apply_transform(read_initial_transform(tmp_path / "t.h5"), image, grid, order=order, default_value=-5.0)
    assert (got.grid, got.name, got.pixel_type) == (grid, "picture", "short")
    itk_image = sitk.GetImageFromArray(image.data.numpy())
    itk_image.SetSpacing(grid.spacing)
    itk_image.SetOrigin(grid.origin)
    itk_image.SetDirection([value for row in grid.direction for value in row])
    kind = {0: sitk.sitkNearestNeighbor, 1: sitk.sitkLinear, 3: sitk.sitkBSpline}[order]
    expected = sitk.Resample(itk_image, sitk.ReadTransform(str(tmp_path / "t.h5")), kind, -5.0)
    assert (np.abs(got.data.numpy() - sitk.GetArrayFromImage(expected)) > 0.05).mean() < 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back(name):
    grid = GRIDS[name]
    image, transform = picture(grid), samples(grid)["spline 3"]
    there = apply_transform(transform, image, grid)
    back = apply_transform(transform, there, grid, inverse=True)
    inner = (slice(4, -4),) * grid.dimension
    moved = (there.data - image.data)[inner].abs().mean()
    assert (back.data - image.data)[inner].abs().mean() < 0.2 * moved


def test_labels_keep_their_numbers(tmp_path):
    grid = GRIDS["flipped"]
    numbers = (np.arange(grid.number_of_voxels, dtype=np.uint32) % 5 + 614_454_277).reshape(grid.shape)
    itk_image = sitk.GetImageFromArray(numbers)
    sitk.WriteImage(itk_image, str(tmp_path / "l.mha"))
    labels = read_labels(tmp_path / "l.mha")
    assert labels.data.dtype == torch.int64
    assert np.array_equal(labels.data.numpy(), numbers)
    labels = Image(labels.data, grid, labels.name, labels.pixel_type)
    got = apply_transform(samples(grid)["spline 3"], labels, grid, labels=True)
    assert set(got.data.unique().tolist()) <= {0, *range(614_454_277, 614_454_282)}
    assert (got.data > 0).float().mean() > 0.8


def test_fractions_that_are_labels_are_kept_too(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(np.full((3, 4), 2.5, np.float32)), str(tmp_path / "l.mha"))
    assert read_labels(tmp_path / "l.mha").data.dtype == torch.float64


def test_points_are_inverted():
    grid = GRIDS["2d"]
    points, transform = points_inside(grid), samples(grid)["spline 3"]
    found = invert_points(transform, transform.map_points(points))
    assert found.residual.max() < 1e-6


def test_what_does_not_fit_is_refused():
    flat, solid = GRIDS["2d"], GRIDS["flipped"]
    transform = samples(flat)["affine"]
    with pytest.raises(ImageError, match="3 dimensions, the transform 2"):
        apply_transform(transform, picture(solid), flat)
    with pytest.raises(ImageError, match="reference has 3 dimensions"):
        apply_transform(transform, picture(flat), solid)
    with pytest.raises(ImageError, match="order 4"):
        apply_transform(transform, picture(flat), flat, order=4)
    singular = transform.with_parameters(torch.zeros(6, dtype=torch.float64))
    with pytest.raises(InputError, match="singular"):
        apply_transform(singular, picture(flat), flat, inverse=True)
