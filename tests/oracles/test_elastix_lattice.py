"""Lattices, refined coefficients, initial alignments and mapped points against itk-elastix itself."""

from pathlib import Path

import itk
import numpy as np
import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.transforms.affine import AffineLogTransform, AffineTransform
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.euler import EulerTransform
from elastix_impact.transforms.initialise import initial_alignment
from elastix_impact.transforms.lattice import refine_parameters, required_lattice
from elastix_impact.transforms.similarity import SimilarityTransform

TILT = ((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 1.0))
OBLIQUE = Grid((24, 17, 13), (1.5, 2.0, 3.1), (10.0, -250.0, 1200.0), TILT)
ANISOTROPIC = Grid.axis_aligned((31, 22, 9), (1.0, 1.25, 5.0), (-100.0, 3.0, 900.0))
FLAT = Grid((40, 27), (1.2, 0.8), (5.0, -7.0), ((0.6, -0.8), (0.8, 0.6)))
GRIDS = {"oblique": OBLIQUE, "anisotropic": ANISOTROPIC, "2-D": FLAT}


def blobs(grid: Grid, shift: float) -> Image:
    """A smooth image with structure everywhere."""
    index_points = grid.index_points()
    phase = torch.arange(1, grid.dimension + 1, dtype=torch.float64) * 0.21
    data = (torch.sin(index_points * phase + shift).sum(1) + 4).float() * 50
    return Image(data.reshape(grid.shape), grid)


def to_itk(image: Image) -> itk.Image:
    converted = itk.image_from_array(image.data.numpy())
    converted.SetSpacing(image.grid.spacing)
    converted.SetOrigin(image.grid.origin)
    converted.SetDirection(np.array(image.grid.direction))
    return converted


def row(values: dict, key: str) -> list[float]:
    return [float(number) for number in values[key]]


def lattice_of(values: dict) -> Grid:
    dimension = int(values["FixedImageDimension"][0])
    columns = torch.tensor(row(values, "GridDirection")).view(dimension, dimension)
    return Grid(
        tuple(int(n) for n in values["GridSize"]),
        tuple(row(values, "GridSpacing")),
        tuple(row(values, "GridOrigin")),
        tuple(map(tuple, columns.T.tolist())),
    )


def assert_same_lattice(actual: Grid, expected: Grid) -> None:
    assert actual.size == expected.size
    for field in ("spacing", "origin", "direction"):
        np.testing.assert_allclose(getattr(actual, field), getattr(expected, field), rtol=0, atol=1e-5)


def base_map(levels: int) -> dict[str, list[str]]:
    return {
        "Registration": ["MultiResolutionRegistration"],
        "NumberOfResolutions": [str(levels)],
        "FixedImagePyramid": ["FixedGenericImagePyramid"],
        "MovingImagePyramid": ["MovingGenericImagePyramid"],
        "Interpolator": ["LinearInterpolator"],
        "Metric": ["AdvancedMeanSquares"],
        "Optimizer": ["StandardGradientDescent"],
        "MaximumNumberOfIterations": ["2"],
        "SP_a": ["0.3"] * (levels - 1) + ["0.0"],
        "ImageSampler": ["Full"],
        "Resampler": ["DefaultResampler"],
        "ResampleInterpolator": ["FinalLinearInterpolator"],
        "AutomaticScalesEstimation": ["false"],
        "AutomaticTransformInitialization": ["false"],
        "WriteTransformParametersEachResolution": ["true"],
        "RequiredRatioOfValidSamples": ["0.01"],
    }


def register(
    grid: Grid,
    folder: Path,
    overrides: dict[str, list[str]],
    *,
    initial: Path | None = None,
    moving: Grid | None = None,
) -> list[dict]:
    """elastix's transform parameter maps, one per level (with SP_a 0 the last level keeps its start)."""
    values = base_map(2) | overrides
    parameters = itk.ParameterObject.New()
    parameters.AddParameterMap(values)
    dimension = grid.dimension
    image_type = itk.Image[itk.F, dimension]
    elastix = itk.ElastixRegistrationMethod[image_type, image_type].New()
    elastix.SetFixedImage(to_itk(blobs(grid, 0.0)))
    elastix.SetMovingImage(to_itk(blobs(moving or grid, 0.5)))
    elastix.SetParameterObject(parameters)
    elastix.SetOutputDirectory(str(folder))
    elastix.SetLogToConsole(False)
    if initial is not None:
        elastix.SetInitialTransformParameterFileName(str(initial))
    elastix.UpdateLargestPossibleRegion()
    levels = range(int(values["NumberOfResolutions"][0]))
    return [read(folder / f"TransformParameters.0.R{level}.txt") for level in levels]


def read(path: Path) -> dict:
    parameters = itk.ParameterObject.New()
    parameters.ReadParameterFile(str(path))
    return dict(parameters.GetParameterMap(0))


def spline_map(dimension: int, order: int) -> dict[str, list[str]]:
    return {
        "Transform": ["BSplineTransform"],
        "FinalGridSpacingInPhysicalUnits": ["7.5", "9.0", "11.0"][:dimension],
        "BSplineTransformSplineOrder": [str(order)],
        "HowToCombineTransforms": ["Compose"],
    }


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("name", GRIDS)
def test_lattices_and_refined_coefficients(name: str, order: int, tmp_path: Path) -> None:
    grid = GRIDS[name]
    final = (7.5, 9.0, 11.0)[: grid.dimension]
    coarse, fine = register(grid, tmp_path, spline_map(grid.dimension, order))
    for values, factor in ((coarse, 2.0), (fine, 1.0)):
        ours = required_lattice(grid, tuple(factor * s for s in final), order)
        assert_same_lattice(ours, lattice_of(values))
    if order == 3:  # elastix samples with cubic splines whatever the order
        parameters = torch.tensor(row(coarse, "TransformParameters"), dtype=torch.float64)
        assert parameters.abs().max() > 0.5
        refined = refine_parameters(parameters, lattice_of(coarse), lattice_of(fine), order)
        expected = torch.tensor(row(fine, "TransformParameters"), dtype=torch.float64)
        torch.testing.assert_close(refined, expected, rtol=0, atol=2e-5)


INITIAL = """(Transform "EulerTransform")
(NumberOfParameters 6)
(TransformParameters 0.2 -0.1 0.3 5 -4 8)
(InitialTransformParameterFileName "NoInitialTransform")
(HowToCombineTransforms "Compose")
(FixedImageDimension 3)
(MovingImageDimension 3)
(CenterOfRotationPoint 20 -230 1220)
(ComputeZYX "false")
(UseDirectionCosines "true")
"""


def test_lattice_after_an_initial_transform(tmp_path: Path) -> None:
    path = tmp_path / "initial.txt"
    path.write_text(INITIAL)
    parameters = torch.tensor([0.2, -0.1, 0.3, 5.0, -4.0, 8.0], dtype=torch.float64)
    initial = EulerTransform(parameters, (20.0, -230.0, 1220.0))
    for combination, ours_initial in (("Compose", initial), ("Add", None)):
        overrides = spline_map(3, 3) | {"HowToCombineTransforms": [combination], "SP_a": ["1e-9", "0.0"]}
        levels = register(OBLIQUE, tmp_path, overrides, initial=path)
        for values, factor in zip(levels, (2.0, 1.0)):
            spacing = (7.5 * factor, 9.0 * factor, 11.0 * factor)
            assert_same_lattice(required_lattice(OBLIQUE, spacing, 3, ours_initial), lattice_of(values))


@pytest.mark.parametrize("method", ["GeometricalCenter", "CenterOfGravity", "Origins", "GeometryTop"])
def test_initial_alignment(method: str, tmp_path: Path) -> None:
    moving = ANISOTROPIC.shifted((100.0, -240.0, 310.0))
    overrides = {
        "Transform": ["AffineTransform"],
        "NumberOfResolutions": ["1"],
        "SP_a": ["0.0"],
        "AutomaticTransformInitialization": ["true"],
        "AutomaticTransformInitializationMethod": [method],
        "NumberOfSamplesForCenteredTransformInitialization": ["1000000"],
    }
    (values,) = register(OBLIQUE, tmp_path, overrides, moving=moving)
    ours = initial_alignment(method, blobs(OBLIQUE, 0.0), blobs(moving, 0.5))
    np.testing.assert_allclose(ours.centre, row(values, "CenterOfRotationPoint"), rtol=0, atol=1e-4)
    np.testing.assert_allclose(ours.translation, row(values, "TransformParameters")[9:], rtol=0, atol=1e-4)


LINEAR = (20.0, -230.0, 1220.0)


def spline_transform(order: int) -> BSplineTransform:
    lattice = required_lattice(OBLIQUE, (9.0, 9.0, 11.0), order)
    noise = torch.randn(3 * lattice.number_of_voxels, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return BSplineTransform(3 * noise, lattice, order)


TRANSFORMS: dict[str, AbstractTransform] = {
    "EulerTransform": EulerTransform(torch.tensor([0.2, -0.1, 0.3, 5.0, -4.0, 8.0]).double(), LINEAR),
    "SimilarityTransform": SimilarityTransform(torch.tensor([0.2, -0.1, 0.3, 5.0, -4.0, 8.0, 0.9]).double(), LINEAR),
    "AffineTransform": AffineTransform(
        torch.tensor([1.1, 0.2, -0.1, 0.0, 0.9, 0.3, 0.1, -0.2, 1.0, 4.0, -6.0, 9.0]).double(), LINEAR
    ),
    "AffineLogTransform": AffineLogTransform(
        torch.tensor([0.1, 0.2, -0.1, 0.0, -0.1, 0.3, 0.1, -0.2, 0.05, 4.0, -6.0, 9.0]).double(), LINEAR
    ),
    "BSplineTransform": spline_transform(3),
    "BSplineTransform of order 2": spline_transform(2),
    "BSplineTransform of order 1": spline_transform(1),
    "RecursiveBSplineTransform": spline_transform(3),
}


def as_map(name: str, transform: AbstractTransform) -> dict[str, list[str]]:
    values = {
        "Transform": [name.split()[0]],
        "NumberOfParameters": [str(len(transform.parameters))],
        "TransformParameters": [repr(number) for number in transform.parameters.tolist()],
        "InitialTransformParameterFileName": ["NoInitialTransform"],
        "HowToCombineTransforms": ["Compose"],
        "FixedImageDimension": ["3"],
        "MovingImageDimension": ["3"],
        "FixedInternalImagePixelType": ["float"],
        "MovingInternalImagePixelType": ["float"],
        "Size": [str(n) for n in OBLIQUE.size],
        "Index": ["0"] * 3,
        "Spacing": [repr(s) for s in OBLIQUE.spacing],
        "Origin": [repr(o) for o in OBLIQUE.origin],
        "Direction": [repr(OBLIQUE.direction[j][i]) for i in range(3) for j in range(3)],
        "ResampleInterpolator": ["FinalLinearInterpolator"],
        "Resampler": ["DefaultResampler"],
    }
    if isinstance(transform, BSplineTransform):
        lattice = transform.grid
        return values | {
            "GridSize": [str(n) for n in lattice.size],
            "GridIndex": ["0"] * 3,
            "GridSpacing": [repr(s) for s in lattice.spacing],
            "GridOrigin": [repr(o) for o in lattice.origin],
            "GridDirection": [repr(lattice.direction[j][i]) for i in range(3) for j in range(3)],
            "BSplineTransformSplineOrder": [str(transform.order)],
            "UseCyclicTransform": ["false"],
        }
    return values | {"CenterOfRotationPoint": [repr(c) for c in LINEAR], "ComputeZYX": ["false"]}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_points_go_where_transformix_puts_them(name: str, tmp_path: Path) -> None:
    transform = TRANSFORMS[name]
    inside = torch.rand(40, 3, dtype=torch.float64) * (torch.tensor(OBLIQUE.size) + 12) - 6
    world_points = OBLIQUE.to_world(inside)
    points = tmp_path / "points.txt"
    lines = [" ".join(repr(number) for number in point) for point in world_points.tolist()]
    points.write_text("point\n40\n" + "\n".join(lines) + "\n")
    parameters = itk.ParameterObject.New()
    parameters.AddParameterMap(as_map(name, transform))
    transformix = itk.TransformixFilter[itk.Image[itk.F, 3]].New()
    transformix.SetMovingImage(to_itk(blobs(OBLIQUE, 0.0)))
    transformix.SetTransformParameterObject(parameters)
    transformix.SetFixedPointSetFileName(str(points))
    transformix.SetOutputDirectory(str(tmp_path))
    transformix.SetLogToConsole(False)
    transformix.UpdateLargestPossibleRegion()
    rows = (tmp_path / "outputpoints.txt").read_text().splitlines()
    expected = [[float(n) for n in line.split("OutputPoint = [")[1].split("]")[0].split()] for line in rows]
    mapped = transform.map_points(world_points)
    assert (mapped - world_points).abs().max() > 1
    torch.testing.assert_close(mapped, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=2e-6)
