"""The command for people: images, labels, points, meshes, fields, inverses, exports; and what it says when it can't."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from elastix_impact.cli.main import main
from elastix_impact.io.itk_transform import write_itk_transform
from elastix_impact.io.mesh import read_mesh
from elastix_impact.io.points import read_points, write_points
from elastix_impact.io.read_transform import read_initial_transform
from elastix_impact.io.transform_file import ResampleSettings, TransformRecord, write_transform_file
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.composite import CompositeTransform
from elastix_impact.transforms.dense import displacement_field
from elastix_impact.transforms.lattice import required_lattice
from transform_samples import GRIDS, points_inside, samples

GRID = GRIDS["oblique anisotropic"]
EULER = samples(GRID)["euler"]
LATTICE = required_lattice(GRID, (14.0, 12.0, 16.0), 3, EULER)
VALUES = torch.rand(3 * LATTICE.number_of_voxels, generator=torch.Generator().manual_seed(5)).double() * 8 - 4
SPLINE = BSplineTransform(VALUES, LATTICE)
MESH = "# vtk DataFile Version 3.0\nm SPACE=RAS\nASCII\nDATASET POLYDATA\nPOINTS {n} double\n{rows}\n"


def on_grid(array, grid=GRID):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection([value for row in grid.direction for value in row])
    return image


@pytest.fixture
def case(tmp_path, monkeypatch):
    """A spline after a rotation in elastix's files, the same as ITK's, an image, labels, landmarks, a mesh."""
    monkeypatch.chdir(tmp_path)
    settings = ResampleSettings(default_pixel_value=-9.0)
    euler = TransformRecord(transform=EULER, fixed_grid=GRID, resample=settings)
    write_transform_file(tmp_path / "t0.txt", euler)
    spline = TransformRecord(transform=SPLINE, fixed_grid=GRID, initial=tmp_path / "t0.txt", resample=settings)
    write_transform_file(tmp_path / "t.txt", spline)
    write_itk_transform(tmp_path / "t.h5", CompositeTransform(EULER, SPLINE))
    random = np.random.default_rng(0)
    smooth = sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(random.normal(size=GRID.shape)), 2.0)
    sitk.WriteImage(on_grid((sitk.GetArrayFromImage(smooth) * 3000).astype(np.int16)), str(tmp_path / "i.nii.gz"))
    labels = random.integers(0, 9, GRID.shape).astype(np.uint32) + 614_454_277
    sitk.WriteImage(on_grid(labels), str(tmp_path / "l.nrrd"))
    points = points_inside(GRID, 12)
    write_points(tmp_path / "p.mrk.json", points, [f"place {k}" for k in range(12)])
    write_points(tmp_path / "p.txt", points)
    ras = points * torch.tensor([-1.0, -1.0, 1.0])
    rows = "\n".join(" ".join(map(repr, row)) for row in ras.tolist())
    (tmp_path / "m.vtk").write_text(MESH.format(n=12, rows=rows))
    return tmp_path


def run(*words):
    return main(["transform", *words])


def array(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def itk_transform(case):
    return sitk.ReadTransform(str(case / "t.h5"))


def test_everything_at_once_into_a_folder(case, capsys):
    code = main([
        "transform", "--transform", str(case / "t.txt"), "--image", str(case / "i.nii.gz"), "--labels",
        str(case / "l.nrrd"), "--points", str(case / "p.mrk.json"), str(case / "p.txt"), "--mesh", str(case / "m.vtk"),
        "--field", "--jacobian", "--export", str(case / "e.tfm"), "--output", str(case / "all"), "--threads", "2",
    ])  # fmt: skip
    captured = capsys.readouterr()
    assert code == 0, captured.err
    names = {"i.nii.gz", "l.nrrd", "p.mrk.json", "p.txt", "m.vtk", "field.mha", "jacobian.mha"}
    assert {path.name for path in (case / "all").iterdir()} == names
    assert len(captured.out.splitlines()) == len(names) + 1
    assert "determinant" in captured.out

    moved = sitk.Resample(sitk.ReadImage(str(case / "i.nii.gz")), itk_transform(case), sitk.sitkBSpline, -9.0)
    assert np.abs(array(case / "all" / "i.nii.gz").astype(float) - sitk.GetArrayFromImage(moved)).max() <= 1
    nearest = sitk.Resample(sitk.ReadImage(str(case / "l.nrrd")), itk_transform(case), sitk.sitkNearestNeighbor, 0)
    assert np.array_equal(array(case / "all" / "l.nrrd"), sitk.GetArrayFromImage(nearest))
    assert sitk.ReadImage(str(case / "all" / "i.nii.gz")).GetPixelID() == sitk.sitkInt16
    assert sitk.ReadImage(str(case / "all" / "l.nrrd")).GetPixelID() == sitk.sitkUInt32

    points = points_inside(GRID, 12)
    expected = CompositeTransform(EULER, SPLINE).map_points(points)
    for name in ("p.mrk.json", "p.txt"):
        torch.testing.assert_close(read_points(case / "all" / name, None).world_points, expected, rtol=0, atol=1e-6)
    assert read_points(case / "all" / "p.mrk.json", None).labels[3] == "place 3"
    torch.testing.assert_close(read_mesh(case / "all" / "m.vtk").world_points, expected, rtol=0, atol=1e-6)
    field = displacement_field(CompositeTransform(EULER, SPLINE), GRID)
    np.testing.assert_allclose(np.moveaxis(array(case / "all" / "field.mha"), -1, 0), field.numpy(), atol=1e-3)
    assert array(case / "all" / "jacobian.mha").min() > 0
    torch.testing.assert_close(read_initial_transform(case / "e.tfm").map_points(points), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("transform", ["t.txt", "t.h5"])
def test_one_result_into_one_file(case, transform, capsys):
    reference = [] if transform == "t.txt" else ["--reference", "i.nii.gz"]
    assert run("-t", transform, "--labels", "l.nrrd", "-o", "new.nrrd", *reference) == 0, capsys.readouterr().err
    assert capsys.readouterr().out == "new.nrrd\n"
    nearest = sitk.Resample(sitk.ReadImage(str(case / "l.nrrd")), itk_transform(case), sitk.sitkNearestNeighbor, 0)
    assert np.array_equal(array(case / "new.nrrd"), sitk.GetArrayFromImage(nearest))


@pytest.mark.parametrize("order", [0, 1])
def test_images_are_interpolated_as_the_file_says_unless_an_order_is_given(case, order, capsys):
    settings = ResampleSettings(interpolation_order=order, default_pixel_value=-9.0)
    write_transform_file(case / "o.txt", TransformRecord(transform=EULER, fixed_grid=GRID, resample=settings))
    assert run("-t", "o.txt", "--image", "i.nii.gz", "-o", "file.nii.gz") == 0
    assert run("-t", "o.txt", "--image", "i.nii.gz", "-o", "cubic.nii.gz", "--order", "3") == 0
    moving = sitk.ReadImage("i.nii.gz")
    write_itk_transform(case / "euler.tfm", EULER)
    for name, kind in (("file", (sitk.sitkNearestNeighbor, sitk.sitkLinear)[order]), ("cubic", sitk.sitkBSpline)):
        expected = sitk.GetArrayFromImage(sitk.Resample(moving, sitk.ReadTransform("euler.tfm"), kind, -9.0))
        assert np.abs(array(f"{name}.nii.gz").astype(int) - expected).max() <= 1, name
    assert np.abs(array("file.nii.gz").astype(int) - array("cubic.nii.gz")).max() > 5


def test_an_order_of_the_file_that_is_not_supported_is_an_error_unless_another_is_given(case, capsys):
    settings = ResampleSettings(interpolation_order=5)
    write_transform_file(case / "o.txt", TransformRecord(transform=EULER, fixed_grid=GRID, resample=settings))
    assert run("-t", "o.txt", "--image", "i.nii.gz", "-o", "file.nii.gz") == 2
    assert "FinalBSplineInterpolationOrder: 5 is not supported" in capsys.readouterr().err
    assert run("-t", "o.txt", "--image", "i.nii.gz", "-o", "file.nii.gz", "--order", "1") == 0


def test_points_there_and_back_are_where_they_were(case, capsys):
    assert run("-t", "t.txt", "--points", "p.txt", "-o", "there.txt") == 0
    assert capsys.readouterr().out == "there.txt\n"
    back = ["-t", "t.txt", "--direction", "moving-to-fixed"]
    assert run(*back, "--points", "there.txt", "-o", "back.fcsv") == 0
    assert "residual of the inverse at most" in capsys.readouterr().out
    got = read_points(case / "back.fcsv", None).world_points
    torch.testing.assert_close(got, points_inside(GRID, 12), rtol=0, atol=1e-5)


def test_several_transforms_are_applied_in_their_order_ants_files_too(case):
    affine = sitk.AffineTransform([1.05, 0.1, 0, 0, 0.9, 0, 0, 0, 1], [3.0, 4, 5], GRID.centre)
    sitk.WriteTransform(affine, str(case / "0GenericAffine.mat"))
    warp = sitk.TransformToDisplacementField(itk_transform(case), sitk.sitkVectorFloat64, GRID.size, GRID.origin,
                                             GRID.spacing, [v for row in GRID.direction for v in row])  # fmt: skip
    sitk.WriteImage(warp, str(case / "1Warp.nii.gz"))
    assert run("-t", "1Warp.nii.gz", "0GenericAffine.mat", "--points", "p.txt", "-o", "q.txt") == 0
    both = sitk.CompositeTransform([affine, sitk.DisplacementFieldTransform(warp)])
    expected = [both.TransformPoint(p) for p in points_inside(GRID, 12).tolist()]
    np.testing.assert_allclose(read_points(case / "q.txt", None).world_points, expected, atol=1e-3)


def test_the_inverse_of_an_image_field_and_jacobian(case, capsys):
    """A fixed image goes onto the moving image's grid."""
    inverse = ["-t", "t.txt", "--inverse", "--reference", "i.nii.gz"]
    assert run(*inverse, "--field", "--jacobian", "--image", "i.nii.gz", "-o", "inverse") == 0
    captured = capsys.readouterr()
    assert "residual of the inverse at most" in captured.out
    assert "come from beyond the fixed image" in captured.err
    field = on_grid(array(case / "inverse" / "field.mha").astype(np.float64))
    back = sitk.DisplacementFieldTransform(sitk.Image(field))
    moved = sitk.Resample(sitk.ReadImage(str(case / "i.nii.gz")), back, sitk.sitkBSpline, -9.0)
    difference = np.abs(array(case / "inverse" / "i.nii.gz").astype(float) - sitk.GetArrayFromImage(moved))
    assert (difference > 1).mean() < 2e-3
    inner = (slice(6, -6),) * 3
    voxels = GRID.world_points().reshape(*GRID.shape, 3)[inner].reshape(-1, 3)
    displacement = torch.from_numpy(array(case / "inverse" / "field.mha").astype(np.float64))[inner].reshape(-1, 3)
    forward = CompositeTransform(EULER, SPLINE)
    torch.testing.assert_close(forward.map_points(voxels + displacement), voxels, rtol=0, atol=1e-3)
    determinant = torch.from_numpy(array(case / "inverse" / "jacobian.mha").astype(np.float64))[inner].reshape(-1)
    product = torch.linalg.det(forward.spatial_jacobian(voxels + displacement)) * determinant
    torch.testing.assert_close(product, torch.ones_like(product), rtol=0, atol=1e-4)


@pytest.mark.parametrize("suffix", ["h5", "tfm"])
def test_exports(case, suffix, capsys):
    points = points_inside(GRID, 12)
    assert run("-t", "t0.txt", "--inverse", "--export", f"inverse.{suffix}") == 0
    there = sitk.ReadTransform(str(case / f"inverse.{suffix}"))
    got = [there.TransformPoint(p) for p in EULER.map_points(points).tolist()]
    np.testing.assert_allclose(got, points, atol=1e-6)
    assert run("-t", "t.txt", "--export", f"field.{suffix}", "--export-as", "field") == 0
    there = sitk.ReadTransform(str(case / f"field.{suffix}"))
    voxels = GRID.world_points()[1000:1020]
    got = [there.TransformPoint(p) for p in voxels.tolist()]
    np.testing.assert_allclose(got, CompositeTransform(EULER, SPLINE).map_points(voxels), atol=1e-4)
    assert run("-t", "t.txt", "--inverse", "--export", f"no.{suffix}") == 2
    assert "--export-as field" in capsys.readouterr().err
    grid = ["--reference", "i.nii.gz"]
    assert run("-t", "t.txt", "--inverse", *grid, "--export", f"yes.{suffix}", "--export-as", "field") == 0
    assert (case / f"yes.{suffix}").is_file()
    assert not (case / f"no.{suffix}").exists()


def test_a_chain_that_adds_is_exported_as_a_field_only(case, capsys):
    add = TransformRecord(transform=SPLINE, fixed_grid=GRID, initial=case / "t0.txt", combination="Add")
    write_transform_file(case / "add.txt", add)
    assert run("-t", "add.txt", "--export", "a.h5") == 2
    assert "--export-as field" in capsys.readouterr().err
    assert run("-t", "add.txt", "--export", "a.h5", "--export-as", "field") == 0


def test_two_dimensions_and_order_and_default_value(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    grid = GRIDS["2d"]
    write_itk_transform(tmp_path / "t.tfm", samples(grid)["affine"])
    image = on_grid(np.random.default_rng(1).random(grid.shape).astype(np.float32), grid)
    sitk.WriteImage(image, str(tmp_path / "i.mha"))
    (tmp_path / "m.vtk").write_text(MESH.replace(" SPACE=RAS", "").format(n=1, rows="1990 -50 77"))
    words = ["-t", "t.tfm", "--reference", "i.mha", "--image", "i.mha", "--mesh", "m.vtk", "-o", "out"]
    assert run(*words, "--order", "1", "--default-value", "5") == 0, capsys.readouterr().err
    there = sitk.ReadTransform(str(tmp_path / "t.tfm"))
    expected = sitk.GetArrayFromImage(sitk.Resample(image, there, sitk.sitkLinear, 5.0))
    np.testing.assert_allclose(array(tmp_path / "out" / "i.mha"), expected, atol=1e-3)
    mapped = read_mesh(tmp_path / "out" / "m.vtk").world_points[0].tolist()
    assert mapped[:2] == pytest.approx(there.TransformPoint((1990.0, -50.0)))
    assert mapped[2] == 77


def test_indices_are_those_of_the_fixed_image_that_the_file_names(case):
    (case / "index.txt").write_text("index\n1\n3 4 5\n")
    assert run("-t", "t.txt", "--points", "index.txt", "-o", "q.csv") == 0
    fixed = GRID.to_world(torch.tensor([[3.0, 4.0, 5.0]], dtype=torch.float64))
    expected = CompositeTransform(EULER, SPLINE).map_points(fixed)
    torch.testing.assert_close(read_points(case / "q.csv", None).world_points, expected, rtol=0, atol=1e-6)


def fold(case):
    parameters = torch.zeros_like(SPLINE.parameters).view(3, *SPLINE.grid.shape)
    parameters[0, :, :, 0::2], parameters[0, :, :, 1::2] = 30.0, -30.0
    folded = BSplineTransform(parameters.flatten(), SPLINE.grid)
    write_transform_file(case / "fold.txt", TransformRecord(transform=folded, fixed_grid=GRID))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-t", "t.txt"], "nothing to do"),
        (["-t", "t.txt", "--field"], "no place for the results"),
        (["-t", "absent.txt", "--field", "-o", "f.mha"], "no such transform file"),
        (["-t", "t.txt", "--image", "absent.mha", "-o", "f.mha"], "no such image"),
        (["-t", "t.txt", "--points", "absent.txt", "-o", "f.txt"], "no such file"),
        (["-t", "t.txt", "--image", "i.nii.gz", "--field", "-o", "f.mha"], "2 results don't fit into one file"),
        (["-t", "t.txt", "--image", "i.nii.gz", "-o", "i.nii.gz"], "replace the input"),
        (["-t", "t.txt", "--image", "i.nii.gz", "i.nii.gz", "-o", "out"], "same name"),
        (["-t", "t.txt", "--image", "i.nii.gz", "-o", "f.xyz"], "unknown image format"),
        (["-t", "t.txt", "--export", "f.xyz"], "other suffix"),
        (["-t", "t.h5", "--field", "-o", "f.mha"], "--reference"),
        (["-t", "t.txt", "--inverse", "--field", "-o", "f.mha"], "moving image with --reference"),
        (["-t", "t.txt", "--inverse", "--points", "p.txt", "-o", "f.txt"], "--direction"),
        (["-t", "t.txt", "--labels", "flat.mha", "-o", "f.mha"], "2 dimensions"),
        (["-t", "t.h5", "--field", "--reference", "flat.mha", "-o", "f.mha"], "2 dimensions"),
        (["-t", "t.txt", "--points", "flat.txt", "-o", "f.txt"], "2 coordinates"),
        (["-t", "t.h5", "--points", "index.txt", "-o", "f.txt"], "voxel indices"),
        (["-t", "fold.txt", "--points", "p.txt", "--direction", "moving-to-fixed", "-o", "f.txt"], "no inverse"),
        (["-t", "fold.txt", "--inverse", "--field", "--reference", "i.nii.gz", "-o", "new/f.mha"], "folds at"),
        (["-t", "t.txt", "--field", "-o", "p.txt/f.mha"], "can't be written"),
        (["-t", "t.txt", "--mesh", "p.txt", "-o", "f.vtk"], "not a mesh"),
        (["-t", "t.txt", "--points", "p.txt", "--direction", "sideways", "-o", "f.txt"], "invalid choice"),
    ],
)
def test_what_can_t_be_done_is_said_in_a_paragraph_and_leaves_nothing_behind(case, capsys, words, says):
    fold(case)
    sitk.WriteImage(sitk.Image(4, 5, sitk.sitkUInt8) + 1, str(case / "flat.mha"))
    (case / "flat.txt").write_text("point\n1\n3 4\n")
    (case / "index.txt").write_text("index\n1\n3 4 5\n")
    before = {path.name: path.read_bytes() for path in case.iterdir()}
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
    after = {path.name: path.read_bytes() for path in case.iterdir()}
    assert after == before


def test_markups_that_are_written_are_slicer_s(case):
    assert run("-t", "t0.txt", "--points", "p.mrk.json", "-o", "q.mrk.json") == 0
    markup = json.loads((case / "q.mrk.json").read_text())["markups"][0]
    assert (markup["type"], markup["coordinateSystem"]) == ("Fiducial", "LPS")
