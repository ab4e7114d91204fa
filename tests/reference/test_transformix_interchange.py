"""Real transformix (itk-elastix) reads our files, and we read real elastix's: the same points come out."""

import re

import numpy as np
import pytest
import torch

from elastix_impact.io.itk_transform import read_initial_transform
from elastix_impact.io.points import write_points
from elastix_impact.io.transform_file import TransformRecord, read_transform_chain, write_transform_file
from elastix_impact.transforms.composite import CompositeTransform
from transform_samples import GRIDS, points_inside, samples

itk = pytest.importorskip("itk")

TOLERANCE_MM = 1e-3
COUNT = 1000
CASES = [(name, kind) for name, grid in GRIDS.items() for kind in ("euler", "affine", "spline 2", "spline 3")]


def _transformix(folder, chain, grid, points):
    """`points` through the files of `chain`, by transformix."""
    write_points(folder / "points.txt", points)
    parameters = itk.ParameterObject.New()
    for path in chain:
        parameters.AddParameterFile(str(path))
    image = itk.image_from_array(np.zeros(grid.shape, dtype=np.float32))
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(itk.matrix_from_array(np.array(grid.direction)))
    out = folder / "transformix"
    out.mkdir()
    itk.transformix_filter(
        image, transform_parameter_object=parameters, fixed_point_set_file_name=str(folder / "points.txt"),
        output_directory=str(out),
    )  # fmt: skip
    lines = (out / "outputpoints.txt").read_text().splitlines()
    return torch.tensor(
        [[float(n) for n in re.search(r"OutputPoint = \[ ([^\]]*) \]", line)[1].split()] for line in lines],
        dtype=torch.float64,
    )


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_transformix_maps_points_as_we_do(tmp_path, name, kind):
    grid = GRIDS[name]
    transform, points = samples(grid)[kind], points_inside(grid, COUNT)
    write_transform_file(tmp_path / "t.txt", TransformRecord(transform=transform, fixed_grid=grid))
    mapped = _transformix(tmp_path, [tmp_path / "t.txt"], grid, points)
    assert len(mapped) == COUNT
    assert (mapped - transform.map_points(points)).abs().max() < TOLERANCE_MM


@pytest.mark.parametrize("combination", ["Compose", "Add"])
@pytest.mark.parametrize("name", ["oblique anisotropic", "flipped", "2d"])
def test_transformix_follows_our_chains(tmp_path, name, combination):
    grid = GRIDS[name]
    kinds, points = samples(grid), points_inside(grid, COUNT)
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    write_transform_file(first, TransformRecord(transform=kinds["euler"], fixed_grid=grid))
    record = TransformRecord(transform=kinds["spline 3"], fixed_grid=grid, initial=first, combination=combination)
    write_transform_file(second, record)
    mapped = _transformix(tmp_path, [first, second], grid, points)
    expected = CompositeTransform(kinds["euler"], kinds["spline 3"], combination).map_points(points)
    assert (mapped - expected).abs().max() < TOLERANCE_MM


@pytest.mark.parametrize("name", ["oblique anisotropic", "flipped", "2d"])
def test_files_of_real_elastix_map_points_as_transformix_does(tmp_path, name):
    grid = GRIDS[name]
    generator = torch.Generator().manual_seed(5)
    parameters = itk.ParameterObject.New()
    for kind in ("rigid", "bspline"):
        one = parameters.GetDefaultParameterMap(kind, 1)
        one["MaximumNumberOfIterations"] = ["3"]
        one["FinalGridSpacingInPhysicalUnits"] = ["15"]
        one["ImageSampler"] = ["Full"]
        one["ResultImageFormat"] = ["mha"]
        parameters.AddParameterMap(one)
    images = []
    for _ in range(2):
        image = itk.image_from_array(torch.rand(grid.shape, generator=generator).numpy())
        image.SetSpacing(grid.spacing)
        image.SetOrigin(grid.origin)
        image.SetDirection(itk.matrix_from_array(np.array(grid.direction)))
        images.append(image)
    itk.elastix_registration_method(*images, parameter_object=parameters, output_directory=str(tmp_path))
    chain = [tmp_path / f"TransformParameters.{k}.txt" for k in (0, 1)]
    points = points_inside(grid, COUNT)
    mapped = _transformix(tmp_path, chain, grid, points)
    ours = read_transform_chain(chain[1]).map_points(points)
    assert (ours - points).norm(dim=1).mean() > 0.1, "the transform should move something"
    assert (mapped - ours).abs().max() < TOLERANCE_MM


@pytest.mark.shared
def test_golden_transforms_are_read_as_transformix_reads_them(shared, tmp_path):
    for case in ("static3d_plain_L2", "static3d_plain_L2_euler", "static3d_plain_L2_affine", "static2d_mind_L2"):
        path = shared / "golden" / "transforms" / f"{case}.txt"
        from elastix_impact.io.transform_file import read_transform_file

        grid = read_transform_file(path).fixed_grid
        points = points_inside(grid, COUNT)
        folder = tmp_path / case
        folder.mkdir()
        mapped = _transformix(folder, [path], grid, points)
        assert (mapped - read_initial_transform(path).map_points(points)).abs().max() < TOLERANCE_MM
