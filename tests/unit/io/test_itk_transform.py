"""ITK's transform files against SimpleITK."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from elastix_impact.errors import OutputError, TransformFileError
from elastix_impact.geometry.grid import Grid
from elastix_impact.io.itk_reading import read_itk_transform
from elastix_impact.io.itk_transform import write_itk_field, write_itk_transform
from elastix_impact.io.read_transform import read_initial_transform, read_transform
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


LINEAR_TEXT = """#Insight Transform File V1.0
#Transform 0
Transform: {kind}_{precision}_3_3
Parameters: 1.1 0.1 0 0 0.9 0 0 0.05 1 4 5 6
FixedParameters: 10 20 2000
"""
SECOND = "#Transform 1\nTransform: TranslationTransform_double_3_3\nParameters: 10 20 30\nFixedParameters:\n"


@pytest.mark.parametrize("kind", ["MatrixOffsetTransformBase", "AffineTransform"])
@pytest.mark.parametrize("precision", ["double", "float"])
def test_linear_transforms_as_ants_writes_them_are_read(tmp_path, kind, precision):
    (tmp_path / "t.txt").write_text(LINEAR_TEXT.format(kind=kind, precision=precision))
    points = torch.rand(20, 3, dtype=torch.float64) * 100
    matrix = torch.tensor([[1.1, 0.1, 0], [0, 0.9, 0], [0, 0.05, 1]], dtype=torch.float64)
    centre = torch.tensor([10.0, 20.0, 2000.0], dtype=torch.float64)
    expected = (points - centre) @ matrix.T + centre + torch.tensor([4.0, 5.0, 6.0])
    got = read_initial_transform(tmp_path / "t.txt").map_points(points)
    torch.testing.assert_close(got, expected, atol=1e-6 if precision == "double" else 1e-3, rtol=0)


def _spline_of_order(order):
    transform = sitk.BSplineTransformInitializer(sitk.Image(20, 20, 20, sitk.sitkInt8), (4, 4, 4), order)
    parameters = np.linspace(-3, 3, len(transform.GetParameters())).tolist()
    transform.SetParameters(parameters)
    return transform


def test_composites_of_linear_and_free_transforms_are_read(tmp_path):
    euler, shift = sitk.Euler3DTransform((1.0, 2.0, 3.0), 0.1, 0.2, 0.3), sitk.TranslationTransform(3, (1.0, 2.0, 3.0))
    outer = sitk.CompositeTransform([euler, _spline_of_order(3), shift, _spline_of_order(2)])
    sitk.WriteTransform(outer, str(tmp_path / "t.tfm"))
    points = torch.rand(50, 3, dtype=torch.float64) * 15
    got = read_initial_transform(tmp_path / "t.tfm").map_points(points)
    expected = torch.tensor([outer.TransformPoint(p) for p in points.tolist()], dtype=torch.float64)
    torch.testing.assert_close(got, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("kind", ["spline 1", "spline 2", "spline 3"])
def test_points_beyond_the_lattice_stay_as_in_itk(tmp_path, kind):
    grid = GRIDS["oblique anisotropic"]
    spline = samples(grid)[kind]
    write_itk_transform(tmp_path / "t.h5", spline)
    size = torch.tensor(spline.grid.size, dtype=torch.float64)
    spread = spline.grid.to_world(torch.rand(2000, 3, dtype=torch.float64) * (size + 1) - 1)
    expected = _mapped_by_simpleitk(tmp_path / "t.h5", spread)
    assert 50 < (expected == spread).all(dim=1).sum() < 1950
    torch.testing.assert_close(spline.map_points(spread), expected, atol=1e-6, rtol=0)


def test_parameters_that_are_being_optimised_can_be_written(tmp_path):
    spline = samples(GRIDS["2d"])["spline 3"]
    leaf = spline.with_parameters(spline.parameters.clone().requires_grad_())
    write_itk_transform(tmp_path / "t.h5", leaf)
    assert torch.equal(read_itk_transform(tmp_path / "t.h5").parameters, spline.parameters)


def test_itk_s_warnings_are_as_they_were(tmp_path, capfd):
    sitk.WriteTransform(sitk.Euler3DTransform(), str(tmp_path / "t.tfm"))
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    try:
        for display in (True, False):
            sitk.ProcessObject.SetGlobalWarningDisplay(display)
            read_itk_transform(tmp_path / "t.tfm")
            assert sitk.ProcessObject.GetGlobalWarningDisplay() is display
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.tfm", b"nonsense", "not a transform"),
        ("t.mat", b"nonsense", "not a transform"),
        ("t.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), "not a transform"),
        ("t.tfm", LINEAR_TEXT.format(kind="VolumeSplineKernelTransform", precision="double").encode(), "VolumeSpline"),
        ("t.txt", (LINEAR_TEXT.format(kind="AffineTransform", precision="double") + SECOND).encode(), "no composite"),
        ("t.nii.gz", b"\x1f\x8b\x08\x00\xff\xfe", "no transform can be read from it"),
        ("t.mha", b"ObjectType = Image\nNDims = 3\n", "no transform can be read from it"),
    ],
)
def test_files_that_are_no_single_transform_are_refused(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TransformFileError, match=says) as caught:
        read_initial_transform(tmp_path / name)
    assert name in str(caught.value)


def test_several_transforms_that_are_no_composite_are_refused_in_hdf5_too(tmp_path):
    itk = pytest.importorskip("itk")
    transforms = [itk.AffineTransform[itk.D, 3].New(), itk.TranslationTransform[itk.D, 3].New()]
    itk.transformwrite(transforms, str(tmp_path / "t.h5"))
    with pytest.raises(TransformFileError, match="no composite"):
        read_itk_transform(tmp_path / "t.h5")


@pytest.mark.parametrize("suffix", ["", ".foo", ".tfm.gz"])
def test_suffixes_that_itk_does_not_know_are_refused_and_nothing_is_left(tmp_path, suffix):
    with pytest.raises(OutputError, match=r"a suffix \.tfm"):
        write_itk_transform(tmp_path / f"t{suffix}", samples(GRIDS["2d"])["affine"])
    assert list(tmp_path.iterdir()) == []


def test_splines_without_a_derivative_are_refused(tmp_path):
    sitk.WriteTransform(_spline_of_order(0), str(tmp_path / "t.h5"))
    with pytest.raises(TransformFileError, match="B-spline of order 0"):
        read_itk_transform(tmp_path / "t.h5")


def _field_image(name="oblique anisotropic"):
    grid = GRIDS[name]
    random = np.random.default_rng(4).uniform(-5, 5, (*grid.shape, grid.dimension))
    field = sitk.GetImageFromArray(random, isVector=True)
    field.SetSpacing(grid.spacing)
    field.SetOrigin(grid.origin)
    field.SetDirection([value for row in grid.direction for value in row])
    return field, grid


@pytest.mark.parametrize("name", ["oblique anisotropic", "2d"])
@pytest.mark.parametrize("suffix", ["h5", "tfm", "nii.gz", "mha", "nrrd"])
def test_displacement_fields_are_read_as_itk_maps_them(tmp_path, name, suffix):
    field, grid = _field_image(name)
    path = tmp_path / f"field.{suffix}"
    if suffix in ("h5", "tfm"):
        sitk.WriteTransform(sitk.DisplacementFieldTransform(sitk.Image(field)), str(path))
    else:
        sitk.WriteImage(field, str(path))
    inner = torch.rand(500, grid.dimension, dtype=torch.float64) * torch.tensor(grid.size) - 0.5
    rim = torch.rand(300, grid.dimension, dtype=torch.float64) * (torch.tensor(grid.size) + 2) - 1.5
    far = torch.tensor([[-0.501], [-0.99], [-1.1], [-7.0]], dtype=torch.float64).expand(4, grid.dimension)
    points = grid.to_world(torch.cat([inner, grid.index_points()[-5:], rim, far]))
    transform = sitk.DisplacementFieldTransform(field)
    expected = torch.tensor([transform.TransformPoint(p) for p in points.tolist()], dtype=torch.float64)
    torch.testing.assert_close(read_initial_transform(path).map_points(points), expected, atol=2e-4, rtol=0)
    assert (expected - points).norm(dim=1)[:505].min() > 0
    assert (expected - points).norm(dim=1)[505:-4].min() == 0


def test_fields_are_written_and_read_again(tmp_path):
    field, grid = _field_image()
    displacements = torch.from_numpy(np.moveaxis(sitk.GetArrayFromImage(field), -1, 0).copy())
    for name in ("f.h5", "f.tfm"):
        write_itk_field(tmp_path / name, displacements.float(), grid)
        moved = read_initial_transform(tmp_path / name).map_points(grid.world_points()) - grid.world_points()
        torch.testing.assert_close(moved.T.reshape(displacements.shape), displacements, atol=1e-6, rtol=0)


def test_images_that_are_no_fields_are_refused(tmp_path):
    sitk.WriteImage(sitk.Image(4, 5, 6, sitk.sitkFloat32), str(tmp_path / "scalar.mha"))
    with pytest.raises(TransformFileError, match="1 value per voxel"):
        read_initial_transform(tmp_path / "scalar.mha")
    array = np.zeros((4, 5, 6, 3))
    array[1, 2, 3, 0] = np.nan
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=True), str(tmp_path / "nan.mha"))
    with pytest.raises(TransformFileError, match="NaN"):
        read_initial_transform(tmp_path / "nan.mha")


@pytest.mark.parametrize("suffix", ["txt", "toml"])
def test_the_fixed_grid_is_known_of_elastix_files(tmp_path, suffix):
    grid = GRIDS["flipped"]
    path = tmp_path / f"t.{suffix}"
    write_transform_file(path, TransformRecord(transform=samples(grid)["affine"], fixed_grid=grid))
    assert read_transform(path).record.fixed_grid.same_as(grid)
    write_itk_transform(tmp_path / "t.h5", samples(grid)["affine"])
    assert read_transform(tmp_path / "t.h5").record is None


def test_a_transform_that_ignores_directions_is_one_of_world_points_only_with_the_moving_grid(tmp_path):
    fixed, moving, path = GRIDS["flipped"], GRIDS["oblique anisotropic"], tmp_path / "t.txt"
    transform = samples(fixed)["affine"]
    record = TransformRecord(transform=transform, fixed_grid=fixed, use_direction_cosines=False)
    write_transform_file(path, record)
    with pytest.raises(TransformFileError, match="UseDirectionCosines"):
        read_initial_transform(path)
    with pytest.raises(TransformFileError, match="the moving image 2"):
        read_initial_transform(path, Grid.axis_aligned((5, 5), (1.0, 1.0)))
    index = np.array([[1.0, 2.0, 3.0], [0.0, 0.5, 2.0]])

    def place(grid, index, axes):  # ITK's formula, with these axes
        return grid.origin + (index * grid.spacing) @ np.array(axes).T

    mapped = transform.map_points(torch.from_numpy(place(fixed, index, np.eye(3)))).numpy()
    voxels = (mapped - moving.origin) / moving.spacing
    in_world = torch.from_numpy(place(fixed, index, fixed.direction))
    got = read_initial_transform(path, moving).map_points(in_world).numpy()
    np.testing.assert_allclose(got, place(moving, voxels, moving.direction), atol=1e-8, rtol=0)


@pytest.mark.parametrize("name", ["missing.tfm", "missing.txt", "."])
def test_missing_files_are_named(tmp_path, name):
    with pytest.raises(TransformFileError, match="no such transform file"):
        read_initial_transform(tmp_path / name)
