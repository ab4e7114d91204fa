"""ITK's transform files against SimpleITK."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from elastix_impact.errors import TransformFileError
from elastix_impact.io.itk_transform import read_initial_transform, read_itk_transform, write_itk_transform
from elastix_impact.io.transform_file import TransformRecord, write_transform_file
from elastix_impact.transforms.composite import CompositeTransform
from transform_samples import GRIDS, points_inside, samples

CASES = [(name, kind) for name, grid in GRIDS.items() for kind in samples(grid)]


def _mapped_by_simpleitk(path, points):
    transform = sitk.ReadTransform(str(path))
    return torch.tensor([transform.TransformPoint(p) for p in points.tolist()], dtype=torch.float64)


@pytest.mark.parametrize("suffix", [".tfm", ".h5", ".itk.txt"])
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_simpleitk_reads_what_is_written_and_so_do_we(tmp_path, name, kind, suffix):
    grid, path = GRIDS[name], tmp_path / f"t{suffix}"
    transform, points = samples(grid)[kind], points_inside(grid)
    write_itk_transform(path, transform)
    expected = transform.map_points(points)
    torch.testing.assert_close(_mapped_by_simpleitk(path, points), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(read_initial_transform(path).map_points(points), expected, atol=1e-6, rtol=0)


def test_a_chain_becomes_a_composite_in_itk_order(tmp_path):
    grid = GRIDS["oblique anisotropic"]
    kinds, points = samples(grid), points_inside(grid)
    chain = CompositeTransform(CompositeTransform(kinds["translation"], kinds["euler"]), kinds["spline 3"])
    write_itk_transform(tmp_path / "t.h5", chain)
    expected = chain.map_points(points)
    torch.testing.assert_close(_mapped_by_simpleitk(tmp_path / "t.h5", points), expected, atol=1e-6, rtol=0)
    back = read_itk_transform(tmp_path / "t.h5").map_points(points)
    torch.testing.assert_close(back, expected, atol=1e-6, rtol=0)


def test_added_transforms_are_refused_and_nothing_is_left(tmp_path):
    kinds = samples(GRIDS["axis aligned"])
    with pytest.raises(TransformFileError, match="added"):
        write_itk_transform(tmp_path / "t.tfm", CompositeTransform(kinds["euler"], kinds["spline 3"], "Add"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [sitk.Euler3DTransform, sitk.VersorRigid3DTransform, sitk.Similarity3DTransform])
def test_linear_transforms_of_others_are_read(tmp_path, make):
    transform = make()
    transform.SetCenter((10.0, 2000.0, -30.0))
    transform.SetTranslation((1.0, -2.0, 3.0))
    if make is sitk.Euler3DTransform:
        transform.SetRotation(0.1, 0.2, -0.3)
    else:
        transform.SetRotation((0.0, 0.6, 0.8), 0.3)
    sitk.WriteTransform(transform, str(tmp_path / "t.tfm"))
    points = torch.rand(20, 3, dtype=torch.float64) * 500
    got = read_itk_transform(tmp_path / "t.tfm").map_points(points)
    torch.testing.assert_close(got, _mapped_by_simpleitk(tmp_path / "t.tfm", points), atol=1e-6, rtol=0)


def test_ants_affine_mat_files_are_read(tmp_path):
    transform = sitk.AffineTransform(3)
    transform.SetMatrix((1.1, 0.1, 0, 0, 0.9, 0, 0, 0.05, 1))
    transform.SetTranslation((4.0, 5.0, 6.0))
    sitk.WriteTransform(transform, str(tmp_path / "t.mat"))
    points = torch.rand(20, 3, dtype=torch.float64) * 100
    got = read_initial_transform(tmp_path / "t.mat").map_points(points)
    torch.testing.assert_close(got, _mapped_by_simpleitk(tmp_path / "t.mat", points), atol=1e-6, rtol=0)


def test_an_elastix_file_is_known_by_its_content(tmp_path):
    grid = GRIDS["flipped"]
    transform = samples(grid)["affine"]
    write_transform_file(tmp_path / "t.txt", TransformRecord(transform=transform, fixed_grid=grid))
    assert torch.equal(read_initial_transform(tmp_path / "t.txt").parameters, transform.parameters)


def test_displacement_fields_and_nonsense_are_refused(tmp_path):
    field = sitk.GetImageFromArray(np.zeros((4, 5, 6, 3)), isVector=True)
    sitk.WriteTransform(sitk.DisplacementFieldTransform(field), str(tmp_path / "field.h5"))
    with pytest.raises(TransformFileError, match="displacement field"):
        read_itk_transform(tmp_path / "field.h5")
    (tmp_path / "bad.tfm").write_text("nonsense")
    with pytest.raises(TransformFileError, match="not a transform"):
        read_initial_transform(tmp_path / "bad.tfm")
    with pytest.raises(TransformFileError, match="no such transform file"):
        read_initial_transform(tmp_path / "missing.tfm")
