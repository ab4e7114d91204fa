"""Pyramids against ITK's own filters and against the pyramid images that elastix writes.

Where an even factor makes ITK choose between two voxels half a voxel away, it goes by the rounding noise
of its products. Such factors are tested on grids whose numbers are exact in binary: it rounds up, as we do.
"""

import math
import os
from pathlib import Path

import itk
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from elastix_impact.errors import ImageError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.pyramid import (
    discrete_gaussian_kernel,
    pyramid_level,
    recursive_gaussian_kernel,
    smooth,
)

SIZE = (27, 33, 21)
SPACING = (1.5, 0.75, 2.0)
ANGLE = 0.4
OBLIQUE = (
    (math.cos(ANGLE), -math.sin(ANGLE), 0.0),
    (math.sin(ANGLE), math.cos(ANGLE), 0.0),
    (0.0, 0.0, -1.0),
)
NONE = (0.0, 0.0, 0.0)
SCHEDULES = [
    [[4, 4, 2], [2, 2, 1], [1, 1, 1]],
    [[4, 4, 2], [2, 2, 2], [2, 1, 1]],
    [[8, 4, 4], [2, 2, 1]],
]


@pytest.fixture
def image() -> Image:
    data = torch.randn(SIZE[::-1], generator=torch.Generator().manual_seed(1)) * 100
    return Image(data, Grid(SIZE, SPACING, (-30.0, 12.0, 400.0), OBLIQUE))


def to_sitk(image: Image) -> sitk.Image:
    result = sitk.GetImageFromArray(image.data.numpy())
    result.SetSpacing(image.grid.spacing)
    result.SetOrigin(image.grid.origin)
    result.SetDirection(np.array(image.grid.direction).ravel().tolist())
    return result


def to_itk(image: Image) -> itk.Image:
    result = itk.image_from_array(image.data.numpy())
    result.SetSpacing(image.grid.spacing)
    result.SetOrigin(image.grid.origin)
    result.SetDirection(itk.matrix_from_array(np.array(image.grid.direction)))
    return result


def assert_same(level: Image, data: np.ndarray, spacing, origin, direction) -> None:
    assert tuple(level.data.shape) == data.shape
    torch.testing.assert_close(level.data, torch.from_numpy(np.ascontiguousarray(data)), rtol=1e-5, atol=2e-4)
    np.testing.assert_allclose(level.grid.spacing, spacing, rtol=1e-12)
    np.testing.assert_allclose(level.grid.origin, origin, atol=1e-9)
    np.testing.assert_allclose(np.array(level.grid.direction).ravel(), np.array(direction).ravel(), atol=1e-12)


@pytest.mark.parametrize("sigma", [(0.5, 0.5, 0.5), (1.0, 2.0, 0.7), (4.0, 4.0, 4.0)])
def test_smoothing_is_the_recursive_gaussian(image: Image, sigma: tuple[float, ...]) -> None:
    millimetres = [s * h for s, h in zip(sigma, SPACING)]
    expected = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(to_sitk(image), millimetres))
    error = np.abs(smooth(image.data, sigma).numpy() - expected).max()
    assert error < 1e-6 * np.ptp(image.data.numpy())


@pytest.mark.parametrize("sigma", [2.0, 5.0])
def test_the_recursive_kernel_is_nearly_a_gaussian(sigma: float) -> None:
    kernel = recursive_gaussian_kernel(sigma)
    radius = kernel.numel() // 2
    gaussian = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, dtype=torch.float64) / sigma).square())
    assert (kernel - gaussian / gaussian.sum()).abs().max() < 4e-3 * kernel.max()


def test_the_discrete_kernel_keeps_its_variance_when_hardly_cut() -> None:
    kernel = discrete_gaussian_kernel(4.0, maximum_error=1e-9)
    offsets = torch.arange(-(kernel.numel() // 2), kernel.numel() // 2 + 1, dtype=torch.float64)
    assert float((kernel * offsets.square()).sum()) == pytest.approx(4.0, rel=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_recursive_pyramid_is_that_of_itk(image: Image, schedule: list[list[int]]) -> None:
    image = Image(image.data, Grid.axis_aligned(SIZE, SPACING, (-30.0, 12.0, 400.0)))
    pyramid = itk.RecursiveMultiResolutionPyramidImageFilter.New(to_itk(image))
    pyramid.SetNumberOfLevels(len(schedule))
    matrix = itk.Array2D[itk.UI](len(schedule), 3)
    for row, factors in enumerate(schedule):
        for column, factor in enumerate(factors):
            matrix.SetElement(row, column, factor)
    pyramid.SetSchedule(matrix)
    pyramid.Update()
    for number in range(len(schedule)):
        expected = pyramid.GetOutput(number)
        factors = [tuple(float(f) for f in level) for level in schedule[number:]]
        level = pyramid_level(image, "Recursive", factors[0], NONE, factors[1:])
        direction = itk.array_from_matrix(expected.GetDirection())
        assert_same(level, itk.array_from_image(expected), expected.GetSpacing(), expected.GetOrigin(), direction)


@pytest.mark.parametrize("factor", [(2, 2, 2), (3, 2, 1), (5, 40, 7)])
def test_shrinking_pyramid_is_the_shrink_filter(image: Image, factor: tuple[int, ...]) -> None:
    plain = Image(image.data, Grid.axis_aligned(SIZE, (1.0, 1.0, 1.0)))
    expected = sitk.Shrink(to_sitk(plain), factor)
    level = pyramid_level(plain, "Shrinking", tuple(float(f) for f in factor), NONE)
    assert_same(
        level,
        sitk.GetArrayFromImage(expected),
        expected.GetSpacing(),
        expected.GetOrigin(),
        expected.GetDirection(),
    )


@pytest.mark.parametrize("factor", [(2.0, 2.0, 2.0), (4.0, 3.0, 1.0)])
def test_generic_pyramid_smooths_and_resamples(image: Image, factor: tuple[float, ...]) -> None:
    sigma = tuple(f / 2 for f in factor)
    level = pyramid_level(image, "Generic", factor, sigma)
    smoothed = sitk.SmoothingRecursiveGaussian(to_sitk(image), [s * h for s, h in zip(sigma, SPACING)])
    grid = level.grid
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(grid.size)
    resampler.SetOutputSpacing(grid.spacing)
    resampler.SetOutputOrigin(grid.origin)
    resampler.SetOutputDirection(np.array(grid.direction).ravel().tolist())
    resampler.SetInterpolator(sitk.sitkLinear)
    expected = sitk.GetArrayFromImage(resampler.Execute(smoothed))
    torch.testing.assert_close(level.data, torch.from_numpy(expected), rtol=1e-5, atol=2e-4)


def elastix_pyramid(image: Image, kind: str, schedule: list[int], folder: Path) -> list[sitk.Image]:
    """The fixed pyramid images that elastix itself writes for two resolutions."""
    parameters = itk.ParameterObject.New()
    entries = {
        "Registration": ["MultiResolutionRegistration"],
        "NumberOfResolutions": ["2"],
        "FixedImagePyramid": [f"Fixed{kind}ImagePyramid"],
        "MovingImagePyramid": [f"Moving{kind}ImagePyramid"],
        "ImagePyramidSchedule": [str(f) for f in schedule],
        "Interpolator": ["LinearInterpolator"],
        "Metric": ["AdvancedMeanSquares"],
        "Optimizer": ["StandardGradientDescent"],
        "MaximumNumberOfIterations": ["1"],
        "SP_a": ["0.0"],
        "ResampleInterpolator": ["FinalLinearInterpolator"],
        "Resampler": ["DefaultResampler"],
        "Transform": ["TranslationTransform"],
        "AutomaticTransformInitialization": ["false"],
        "ImageSampler": ["Random"],
        "NumberOfSpatialSamples": ["100"],
        "WritePyramidImagesAfterEachResolution": ["true"],
        "WriteResultImage": ["false"],
        "ResultImageFormat": ["mha"],
    }
    parameters.AddParameterMap(entries)
    itk.elastix_registration_method(
        to_itk(image),
        to_itk(image),
        parameter_object=parameters,
        output_directory=str(folder),
        log_to_console=False,
    )
    names = sorted(name for name in os.listdir(folder) if name.startswith("FixedImagePyramid") and name[-3:] == "mha")
    return [sitk.ReadImage(str(folder / name)) for name in names]


@pytest.mark.parametrize("kind", ["Generic", "Smoothing", "Recursive", "Shrinking"])
def test_levels_are_those_that_elastix_writes(image: Image, kind: str, tmp_path: Path) -> None:
    written = elastix_pyramid(image, kind, [3, 3, 3, 1, 1, 1], tmp_path)
    assert len(written) == 2
    sigmas = {"Generic": [(1.5, 1.5, 1.5), NONE], "Smoothing": [(1.5, 1.5, 1.5), (0.5, 0.5, 0.5)]}
    factors = [(3.0, 3.0, 3.0), (1.0, 1.0, 1.0)]
    for number, expected in enumerate(written):
        sigma = sigmas.get(kind, [NONE, NONE])[number]
        level = pyramid_level(image, kind, factors[number], sigma, factors[number + 1 :])
        data = sitk.GetArrayFromImage(expected)
        assert_same(level, data, expected.GetSpacing(), expected.GetOrigin(), expected.GetDirection())


def test_a_plane_of_one_voxel_is_left_alone() -> None:
    data = torch.randn(1, 9, 8)
    expected = smooth(data[0], (1.0, 1.0))
    torch.testing.assert_close(smooth(data, (1.0, 1.0, 1.0))[0], expected)


@pytest.mark.parametrize("kind", ["Generic", "Smoothing", "Recursive", "Shrinking"])
def test_a_constant_image_stays_constant(kind: str) -> None:
    image = Image(torch.full((9, 10), 7.0), Grid.axis_aligned((10, 9), (1.0, 2.0)))
    level = pyramid_level(image, kind, (2.0, 4.0), (1.0, 2.0), [(1.0, 1.0)])
    torch.testing.assert_close(level.data, torch.full_like(level.data, 7.0))


def test_generic_pyramid_takes_fractional_factors() -> None:
    ramp = torch.arange(30.0).expand(12, 30).contiguous()
    image = Image(ramp, Grid.axis_aligned((30, 12), (1.0, 1.0)))
    level = pyramid_level(image, "Generic", (1.5, 2.5), (0.0, 0.0))
    assert level.grid.size == (20, 4)
    torch.testing.assert_close(level.data[0], level.grid.world_points()[:20, 0].float())


@pytest.mark.parametrize(
    ("kind", "factor", "sigma"),
    [
        ("Shrinking", (1.5, 2.0, 2.0), NONE),
        ("Generic", (0.5, 1.0, 1.0), NONE),
        ("Generic", (1.0, 1.0, 1.0), (-1.0, 0.0, 0.0)),
        ("Generic", (1.0, 1.0), (0.0, 0.0)),
    ],
)
def test_impossible_levels_are_named(image: Image, kind: str, factor: tuple, sigma: tuple) -> None:
    with pytest.raises(ImageError, match="Expected"):
        pyramid_level(image, kind, factor, sigma)
