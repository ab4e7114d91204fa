"""Real transformix (itk-elastix) reads our files, and we read real elastix's: the same points come out."""

import re

import numpy as np
import pytest
import torch

from elastix_impact.io.itk_transform import write_itk_transform
from elastix_impact.io.points import write_points
from elastix_impact.io.read_transform import read_initial_transform
from elastix_impact.io.transform_file import (
    TransformRecord,
    read_transform_file,
    write_transform_file,
)
from elastix_impact.transforms.composite import CompositeTransform
from transform_samples import GRIDS, points_inside, samples

itk = pytest.importorskip("itk")

TOLERANCE_MM = 1e-3
COUNT = 1000
CASES = [(name, kind) for name, grid in GRIDS.items() for kind in samples(grid)]


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


@pytest.mark.parametrize("kind", ["euler zyx", "affine log", "spline 3"])
def test_transformix_reads_our_toml(tmp_path, kind):
    grid = GRIDS["oblique anisotropic"]
    transform, points = samples(grid)[kind], points_inside(grid, COUNT)
    write_transform_file(tmp_path / "t.toml", TransformRecord(transform=transform, fixed_grid=grid))
    mapped = _transformix(tmp_path, [tmp_path / "t.toml"], grid, points)
    assert (mapped - transform.map_points(points)).abs().max() < TOLERANCE_MM


@pytest.mark.parametrize("kind", ["spline 1", "spline 2", "spline 3"])
def test_points_beyond_the_lattice_stay_as_in_transformix(tmp_path, kind):
    grid = GRIDS["oblique anisotropic"]
    spline = samples(grid)[kind]
    size = torch.tensor(spline.grid.size, dtype=torch.float64)
    points = spline.grid.to_world(torch.rand(COUNT, 3, dtype=torch.float64) * (size + 1) - 1)
    write_transform_file(tmp_path / "t.txt", TransformRecord(transform=spline, fixed_grid=grid))
    mapped = _transformix(tmp_path, [tmp_path / "t.txt"], grid, points)
    assert ((mapped - points).abs().amax(dim=1) < 1e-5).sum() > COUNT // 10
    assert (mapped - spline.map_points(points)).abs().max() < TOLERANCE_MM


@pytest.mark.parametrize("suffix", ["tfm", "h5", "itk.txt"])
@pytest.mark.parametrize("kind", ["translation", "similarity", "spline 3"])
def test_transformix_reads_transforms_that_we_keep_in_itk_files(tmp_path, kind, suffix):
    grid = GRIDS["flipped"]
    transform, points = samples(grid)[kind], points_inside(grid, COUNT)
    exported = tmp_path / f"TransformParameters.0.{suffix}"
    write_itk_transform(exported, transform)
    record = TransformRecord(transform=transform, fixed_grid=grid, exported_file=exported)
    write_transform_file(tmp_path / "TransformParameters.0.txt", record)
    mapped = _transformix(tmp_path, [tmp_path / "TransformParameters.0.txt"], grid, points)
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


@pytest.mark.parametrize(
    ("name", "file_format", "itk_suffix"),
    [
        ("oblique anisotropic", "txt", None),
        ("flipped", "toml", None),
        ("2d", "txt", None),
        ("oblique anisotropic", "txt", "tfm"),
        ("flipped", "txt", "h5"),
    ],
)
def test_files_of_real_elastix_map_points_as_transformix_does(tmp_path, name, file_format, itk_suffix):
    grid = GRIDS[name]
    generator = torch.Generator().manual_seed(5)
    parameters = itk.ParameterObject.New()
    for kind in ("rigid", "bspline"):
        one = parameters.GetDefaultParameterMap(kind, 1)
        one["MaximumNumberOfIterations"] = ["3"]
        one["FinalGridSpacingInPhysicalUnits"] = ["15"]
        one["ImageSampler"] = ["Full"]
        one["ResultImageFormat"] = ["mha"]
        if file_format == "toml":
            one["OutputTransformParameterFileFormat"] = ["TOML"]
        if itk_suffix is not None:
            one["ITKTransformOutputFileNameExtension"] = [itk_suffix]
        parameters.AddParameterMap(one)
    images = []
    for _ in range(2):
        image = itk.image_from_array(torch.rand(grid.shape, generator=generator).numpy())
        image.SetSpacing(grid.spacing)
        image.SetOrigin(grid.origin)
        image.SetDirection(itk.matrix_from_array(np.array(grid.direction)))
        images.append(image)
    itk.elastix_registration_method(*images, parameter_object=parameters, output_directory=str(tmp_path))
    chain = [tmp_path / f"TransformParameters.{k}.{file_format}" for k in (0, 1)]
    points = points_inside(grid, COUNT)
    mapped = _transformix(tmp_path, chain, grid, points)
    ours = read_initial_transform(chain[1]).map_points(points)
    assert (ours - points).norm(dim=1).mean() > 0.1, "the transform should move something"
    assert (mapped - ours).abs().max() < TOLERANCE_MM


@pytest.mark.shared
def test_golden_transforms_are_read_as_transformix_reads_them(shared, tmp_path):
    for case in ("static3d_plain_L2", "static3d_plain_L2_euler", "static3d_plain_L2_affine", "static2d_mind_L2"):
        path = shared / "golden" / "transforms" / f"{case}.txt"
        grid = read_transform_file(path).fixed_grid
        points = points_inside(grid, COUNT)
        folder = tmp_path / case
        folder.mkdir()
        mapped = _transformix(folder, [path], grid, points)
        assert (mapped - read_initial_transform(path).map_points(points)).abs().max() < TOLERANCE_MM


def _values(line):
    """A line's words, numbers as numbers: `1e-5` and `0.00001` are the same."""
    words = line.strip("()").split(" ")
    return [float(word) if re.fullmatch(r"-?\d[\d.e+-]*", word) else word for word in words]


@pytest.mark.shared
def test_files_of_real_elastix_are_written_again_line_by_line(shared, tmp_path):
    paths = sorted((shared / "golden" / "transforms").glob("*.txt"))
    assert paths
    for path in paths:
        write_transform_file(tmp_path / path.name, read_transform_file(path))
        ours, theirs = (file.read_text().splitlines() for file in (tmp_path / path.name, path))
        assert [_values(line) for line in ours] == [_values(line) for line in theirs], path.name
