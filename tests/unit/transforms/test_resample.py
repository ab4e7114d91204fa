"""Resampling against SimpleITK's, on an oblique grid two metres from the origin."""

import math

import pytest
import SimpleITK as sitk
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.resample import resample, resample_labels
from elastix_impact.transforms.translation import TranslationTransform

SIN, COS = math.sin(0.3), math.cos(0.3)
OBLIQUE = ((COS, -SIN, 0.0), (SIN, COS, 0.0), (0.0, 0.0, -1.0))
MOVING = Grid((24, 20, 16), (2.0, 2.5, 3.0), (-2000.0, 1500.0, 700.0), OBLIQUE)
FIXED = Grid((18, 22, 12), (2.2, 2.0, 3.3), (-1996.0, 1503.0, 695.0), OBLIQUE)
MATRIX = [1.02, 0.05, -0.03, -0.04, 0.97, 0.02, 0.01, -0.02, 1.03]
MOTION = [2.0, -3.0, 1.5]


def sitk_image(data: torch.Tensor, grid: Grid) -> sitk.Image:
    image = sitk.GetImageFromArray(data.numpy())
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection([value for row in grid.direction for value in row])
    return image


@pytest.mark.parametrize(("order", "name"), [(0, "NearestNeighbor"), (1, "Linear"), (3, "BSpline")])
def test_it_agrees_with_simpleitk(order: int, name: str, generator: torch.Generator) -> None:
    data = torch.rand(MOVING.shape, generator=generator) * 1000
    centre = MOVING.centre
    theirs = sitk.AffineTransform(MATRIX, MOTION, centre)
    reference = sitk.Image(list(FIXED.size), sitk.sitkFloat32)
    reference.CopyInformation(sitk_image(torch.zeros(FIXED.shape), FIXED))
    expected = sitk.Resample(
        sitk_image(data, MOVING), reference, theirs, getattr(sitk, f"sitk{name}"), -7.0, sitk.sitkFloat32
    )
    parameters = torch.tensor([*MATRIX, *MOTION], dtype=torch.float64)
    values = resample(Image(data, MOVING), AffineTransform(parameters, centre), FIXED, order, -7.0)
    difference = (values - torch.from_numpy(sitk.GetArrayFromImage(expected))).abs()
    assert float((difference < 0.1).float().mean()) > 0.999  # a voxel may fall to the other side of an edge
    assert bool((values == -7.0).any())


def test_the_identity_gives_the_image_back() -> None:
    data = torch.rand(MOVING.shape)
    still = TranslationTransform(torch.zeros(3, dtype=torch.float64))
    for order in (0, 1, 2, 3):
        torch.testing.assert_close(resample(Image(data, MOVING), still, MOVING, order, 0.0), data, atol=2e-3, rtol=0)


def test_a_plane_image() -> None:
    grid = Grid.axis_aligned((5, 4), (1.0, 1.0), (0.0, 0.0))
    data = torch.arange(20.0).reshape(4, 5)
    one_right = TranslationTransform(torch.tensor([1.0, 0.0], dtype=torch.float64))
    values = resample(Image(data, grid), one_right, grid, 1, -1.0)
    assert values[0].tolist() == [1.0, 2.0, 3.0, 4.0, -1.0]


@pytest.mark.parametrize("dtype", [torch.int64, torch.float64])
def test_labels_are_those_of_itk_s_nearest_neighbour_and_keep_their_numbers(dtype):
    numbers = torch.randint(0, 50, MOVING.shape, generator=torch.Generator().manual_seed(1)) + 614_454_277
    affine = AffineTransform(torch.tensor([*MATRIX, *MOTION], dtype=torch.float64), MOVING.centre)
    got = resample_labels(Image(numbers.to(dtype), MOVING), affine, FIXED, 7.0)
    itk_affine = sitk.AffineTransform(MATRIX, MOTION, MOVING.centre)
    expected = sitk.Resample(
        sitk_image(numbers, MOVING),
        sitk_image(torch.zeros(FIXED.shape), FIXED),
        itk_affine,
        sitk.sitkNearestNeighbor,
        7,
    )
    assert got.dtype == dtype
    assert torch.equal(got.long(), torch.from_numpy(sitk.GetArrayFromImage(expected)).long())
    assert (got == 7).any()
    assert (got > 7).float().mean() > 0.5
