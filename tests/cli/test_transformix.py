"""The transformix form against the real one (itk-elastix): files, numbers, and transformix's exit codes."""

import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from elastix_impact.cli.main import main
from elastix_impact.io.itk_transform import write_itk_transform
from elastix_impact.io.transform_file import ResampleSettings, TransformRecord, write_transform_file
from elastix_impact.transforms.bspline import BSplineTransform
from elastix_impact.transforms.lattice import required_lattice
from transform_samples import GRIDS, points_inside, samples

itk = pytest.importorskip("itk")

FIELDS = ("deformationField", "spatialJacobian", "fullSpatialJacobian")
CASES = [
    ("oblique anisotropic", ["spline 3"], "Compose", "nii.gz"),
    ("flipped", ["euler", "spline 2"], "Compose", "mha"),
    ("axis aligned", ["affine", "euler zyx", "spline 3"], "Add", "mhd"),
    ("2d", ["similarity", "spline 3"], "Compose", "mha"),
    ("2d", ["affine", "spline 1"], "Add", "nrrd"),
]


def write_chain(folder: Path, name: str, kinds: list[str], combination: str, **settings: object) -> list[Path]:
    """A file per transform, each naming the one before it."""
    grid, paths = GRIDS[name], []
    record_settings = ResampleSettings(**{"pixel_type": "float", "default_pixel_value": -7.0, **settings})
    for number, kind in enumerate(kinds):
        record = TransformRecord(
            transform=samples(grid)[kind], fixed_grid=grid, initial=paths[-1] if paths else None,
            combination=combination, resample=record_settings,
        )  # fmt: skip
        paths.append(folder / f"TransformParameters.{number}.txt")
        write_transform_file(paths[-1], record)
    return paths


def moving_image(folder: Path, name: str) -> Path:
    """A smooth image on a grid that is shifted and finer than the fixed one."""
    grid = GRIDS[name]
    shape = tuple(n + 4 for n in grid.shape)
    random = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    image = sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(random), 1.5) * 1000
    image.SetSpacing(grid.spacing)
    image.SetOrigin([o - 1.3 for o in grid.origin])
    image.SetDirection([value for row in grid.direction for value in row])
    path = folder / "moving.mha"
    sitk.WriteImage(image, str(path))
    return path


def real_transformix(out: Path, chain: list[Path], moving: Path, **options: object) -> np.ndarray:
    """The result image; files go into `out`."""
    parameters = itk.ParameterObject.New()
    for path in chain:
        parameters.AddParameterFile(str(path))
    out.mkdir()
    image = itk.imread(str(moving), itk.F)
    result = itk.transformix_filter(image, transform_parameter_object=parameters, output_directory=str(out), **options)
    return itk.array_from_image(result)


def image_numbers(path: Path) -> tuple[np.ndarray, tuple[float, ...]]:
    image = sitk.ReadImage(str(path))
    geometry = (*image.GetSize(), *image.GetSpacing(), *image.GetOrigin(), *image.GetDirection())
    return sitk.GetArrayFromImage(image), geometry


@pytest.mark.parametrize(("name", "kinds", "combination", "image_format"), CASES)
def test_images_fields_and_jacobians_are_those_of_transformix(tmp_path, capsys, name, kinds, combination, image_format):
    chain = write_chain(tmp_path, name, kinds, combination, image_format=image_format)
    moving, out = moving_image(tmp_path, name), tmp_path / "ours"
    out.mkdir()
    words = ["-in", moving, "-tp", chain[-1], "-out", f"{out}/", "-def", "all", "-jac", "all", "-jacmat", "all"]
    assert main(["transformix", *map(str, words), "-threads", "2"]) == 0, capsys.readouterr().err
    theirs = tmp_path / "theirs"
    expected = real_transformix(
        theirs, chain, moving, compute_spatial_jacobian=True, compute_determinant_of_spatial_jacobian=True,
        compute_deformation_field=True,
    )  # fmt: skip
    result, geometry = image_numbers(out / f"result.{image_format}")
    assert np.abs(result - expected).max() < 0.05
    assert expected.std() > 50
    for field in FIELDS:
        got, got_geometry = image_numbers(out / f"{field}.{image_format}")
        real, real_geometry = image_numbers(theirs / f"{field}.{image_format}")
        assert got.shape == real.shape
        assert got.dtype == real.dtype == np.float32
        assert np.abs(got - real).max() < (1e-3 if field == "deformationField" else 1e-4), field
        np.testing.assert_allclose(got_geometry, real_geometry, rtol=0, atol=1e-5)
    np.testing.assert_allclose(geometry, got_geometry, rtol=0, atol=1e-5)
    assert (out / "transformix.log").read_text().strip().endswith("s.")


@pytest.mark.parametrize("kind", ["point", "index", ""])
@pytest.mark.parametrize(("name", "with_image"), [("oblique anisotropic", True), ("2d", False), ("flipped", True)])
def test_output_points_are_line_by_line_those_of_transformix(tmp_path, capsys, name, with_image, kind):
    chain = write_chain(tmp_path, name, ["euler", "spline 3"], "Compose", image_format="mha")
    grid, moving = GRIDS[name], moving_image(tmp_path, name)
    points = points_inside(grid, 40)
    if kind != "point":
        points = grid.to_index(points).round().long()
    rows = "\n".join(" ".join(str(c) for c in row) for row in points.tolist())
    (tmp_path / "points.txt").write_text(f"{kind}\n40\n{rows}\n".lstrip())
    (tmp_path / "ours").mkdir()
    words = ["-def", tmp_path / "points.txt", "-tp", chain[-1], "-out", tmp_path / "ours"]
    words += ["-in", moving] if with_image else []
    assert main(["transformix", *map(str, words)]) == 0, capsys.readouterr().err
    real_transformix(tmp_path / "theirs", chain, moving, fixed_point_set_file_name=str(tmp_path / "points.txt"))
    ours, theirs = ((tmp_path / side / "outputpoints.txt").read_text() for side in ("ours", "theirs"))
    if not with_image:
        theirs = re.sub(r"\t; OutputIndexMoving = \[[^]]*\]", "", theirs)
    assert re.sub(NUMBER, "#", ours) == re.sub(NUMBER, "#", theirs)
    got, expected = (np.array(re.findall(NUMBER, text), dtype=float) for text in (ours, theirs))
    assert np.abs(got - expected).max() < 2e-3


NUMBER = r"-?\d+(?:\.\d+)?"
MESH = """# vtk DataFile Version 3.0
a mesh
ASCII
DATASET POLYDATA
POINTS 4 float
{points}
POLYGONS 2 8
3 0 1 2
3 0 2 3
"""


def test_meshes_are_those_of_transformix(tmp_path, capsys):
    chain = write_chain(tmp_path, "oblique anisotropic", ["spline 3"], "Compose")
    points = points_inside(GRIDS["oblique anisotropic"], 4)
    (tmp_path / "mesh.vtk").write_text(
        MESH.format(points="\n".join(" ".join(f"{c:.4f}" for c in row) for row in points.tolist()))
    )
    (tmp_path / "ours").mkdir()
    words = ["-def", tmp_path / "mesh.vtk", "-tp", chain[-1], "-out", tmp_path / "ours"]
    assert main(["transformix", *map(str, words)]) == 0, capsys.readouterr().err
    moving = moving_image(tmp_path, "oblique anisotropic")
    real_transformix(tmp_path / "theirs", chain, moving, fixed_point_set_file_name=str(tmp_path / "mesh.vtk"))
    ours, theirs = ((tmp_path / side / "outputpoints.vtk").read_text() for side in ("ours", "theirs"))
    got, expected = (np.array(text.split("float\n")[1].split()[:12], dtype=float) for text in (ours, theirs))
    assert np.abs(got - expected).max() < 1e-3
    assert ours.endswith("POLYGONS 2 8\n3 0 1 2\n3 0 2 3\n")


def test_a_mesh_that_says_ras_is_taken_as_lps_with_a_warning(tmp_path, capsys):
    chain = write_chain(tmp_path, "axis aligned", ["translation"], "Compose")
    text = MESH.replace("a mesh", "3D Slicer output. SPACE=RAS").format(points="1 2 3 " * 4)
    (tmp_path / "mesh.vtk").write_text(text)
    assert main(["transformix", "-def", str(tmp_path / "mesh.vtk"), "-tp", str(chain[0]), "-out", str(tmp_path)]) == 0
    assert "taken as LPS" in capsys.readouterr().err
    moved = (tmp_path / "outputpoints.vtk").read_text().split("float\n")[1].split()[:3]
    shift = samples(GRIDS["axis aligned"])["translation"].parameters.tolist()
    np.testing.assert_allclose(np.array(moved, float), np.array([1.0, 2, 3]) + shift, atol=1e-5)


def test_direction_cosines_that_were_not_used_are_not_used_and_come_back(tmp_path, capsys):
    grid = GRIDS["oblique anisotropic"]
    bare = grid.without_direction()
    lattice = required_lattice(bare, (14.0,) * 3, 3)
    generator = torch.Generator().manual_seed(1)
    values = torch.rand(3 * lattice.number_of_voxels, generator=generator, dtype=torch.float64) * 6 - 3
    record = TransformRecord(
        transform=BSplineTransform(values, lattice), fixed_grid=grid, use_direction_cosines=False,
        resample=ResampleSettings(pixel_type="float", image_format="mha"),
    )  # fmt: skip
    write_transform_file(tmp_path / "t.txt", record)
    moving = moving_image(tmp_path, "oblique anisotropic")
    words = ["-in", moving, "-def", "all", "-jac", "all", "-tp", tmp_path / "t.txt", "-out", tmp_path]
    assert main(["transformix", *map(str, words)]) == 0, capsys.readouterr().err
    real_transformix(
        tmp_path / "theirs", [tmp_path / "t.txt"], moving, compute_deformation_field=True,
        compute_determinant_of_spatial_jacobian=True,
    )  # fmt: skip
    for field in ("deformationField.mha", "spatialJacobian.mha"):
        got, geometry = image_numbers(tmp_path / field)
        real, real_geometry = image_numbers(tmp_path / "theirs" / field)
        assert np.abs(got - real).max() < 1e-3
        assert geometry == pytest.approx(real_geometry)
    bare_moving = sitk.ReadImage(str(moving))
    bare_moving.SetDirection(np.eye(3).ravel().tolist())
    write_itk_transform(tmp_path / "t.h5", record.transform)
    expected = sitk.Resample(
        bare_moving, bare.size, sitk.ReadTransform(str(tmp_path / "t.h5")), sitk.sitkBSpline, bare.origin, bare.spacing,
        np.eye(3).ravel().tolist(), 0.0,
    )  # fmt: skip
    result, geometry = image_numbers(tmp_path / "result.mha")
    assert np.abs(result - sitk.GetArrayFromImage(expected)).max() < 0.1
    assert geometry[-9:] == pytest.approx([value for row in grid.direction for value in row])


@pytest.mark.parametrize(
    ("order", "interpolator"),
    [("3", "FinalNearestNeighborInterpolator"), ("3", "FinalLinearInterpolator"), ("0", "FinalBSplineInterpolator"),
     ("2", "FinalBSplineInterpolator")],
)  # fmt: skip
def test_interpolators_are_those_of_the_file(tmp_path, capsys, order, interpolator):
    chain = write_chain(tmp_path, "flipped", ["affine"], "Compose", image_format="mha")
    text = (
        chain[0].read_text().replace("(FinalBSplineInterpolationOrder 3)", f"(FinalBSplineInterpolationOrder {order})")
    )
    chain[0].write_text(text.replace("FinalBSplineInterpolator", interpolator))
    moving = moving_image(tmp_path, "flipped")
    assert main(["transformix", "-in", str(moving), "-tp", str(chain[0]), "-out", str(tmp_path)]) == 0
    expected = real_transformix(tmp_path / "theirs", chain, moving)
    assert (np.abs(image_numbers(tmp_path / "result.mha")[0] - expected) > 0.05).mean() < 1e-3


def test_the_pixel_type_and_compression_of_the_file_are_used(tmp_path):
    sizes = {}
    for compress in (False, True):
        chain = write_chain(tmp_path, "flipped", ["euler"], "Compose", pixel_type="short", compress=compress,
                            image_format="nii.gz" if compress else "mha")  # fmt: skip
        assert main(["transformix", "-in", str(moving_image(tmp_path, "flipped")), "-tp", str(chain[0]),
                     "-out", str(tmp_path)]) == 0  # fmt: skip
        path = tmp_path / ("result.nii.gz" if compress else "result.mha")
        assert sitk.ReadImage(str(path)).GetPixelID() == sitk.sitkInt16
        assert (sitk.GetArrayFromImage(sitk.ReadImage(str(path))) == -7).any()
        sizes[compress] = path.stat().st_size
    assert sizes[True] < sizes[False]


def test_one_word_or_none(capsys):
    for words in ([], ["anything"]):
        assert main(["transformix", *words]) == 0
        assert "transformix --help" in capsys.readouterr().out
    for word in ("--help", "-h", "-help"):
        assert main(["transformix", word]) == 0
        text = capsys.readouterr().out
        assert all(key in text for key in ("-tp", "-out", "-in", "-def", "-jac", "-jacmat", "-threads", "-loglevel"))
    assert main(["transformix", "--version"]) == 0
    assert capsys.readouterr().out.startswith("transformix version: 5.")
    assert main(["transformix", "--extended-version"]) == 0
    assert "torch version: " in capsys.readouterr().out


def test_codes_for_what_is_missing(tmp_path, capsys):
    out, absent = str(tmp_path), str(tmp_path / "absent")
    assert main(["transformix", "-in", "a", "-out", out]) == 255
    assert main(["transformix", "-tp", "t.txt", "-out", out]) == 255
    assert main(["transformix", "-in", "a", "-tp", "t.txt"]) == 254
    assert main(["transformix", "-in", "a"]) == 254
    assert main(["transformix", "-in", "a", "-tp", "t.txt", "-out", absent]) == 254
    assert main(["transformix", "-in", "a", "-out", absent]) == 255
    assert main(["transformix", "-in", "a", "-tp", "t.txt", "-out", out, "-loglevel", "loud"]) == 1
    assert list(tmp_path.iterdir()) == []
    assert "Traceback" not in capsys.readouterr().err


def test_what_goes_wrong_is_one_paragraph_code_1_and_in_the_log(tmp_path, capsys):
    chain = write_chain(tmp_path, "2d", ["euler"], "Compose")
    text = chain[0].read_text()
    faults = {
        "no such transform file": (["-tp", str(tmp_path / "absent.txt"), "-in", "a.mha"], text),
        "no such image": (["-tp", str(chain[0]), "-in", str(tmp_path / "absent.mha")], text),
        "3 dimensions": (["-tp", str(chain[0]), "-in", str(moving_image(tmp_path, "flipped"))], text),
        "no such landmark file": (["-tp", str(chain[0]), "-def", str(tmp_path / "absent.txt")], text),
        "is not supported": (["-tp", str(chain[0]), "-def", "all"], text.replace("Order 3)", "Order 5)")),
        "unknown image format": (["-tp", str(chain[0]), "-def", "all"], text.replace('"mhd"', '"hdr"')),
        "pixel type": (["-tp", str(chain[0]), "-def", "all"], text.replace('"float"', '"gloat"')),
        "is unknown": (["-tp", str(chain[0]), "-def", "all"], text.replace("FinalBSplineInt", "FinalRayCastInt")),
        "whole number": (["-tp", str(chain[0]), "-def", "all", "-threads", "x"], text),
        "mean the same": (["-tp", str(chain[0]), "-def", "all", "-ipp", "all"], text),
    }
    out = tmp_path / "out"
    out.mkdir()
    for says, (words, content) in faults.items():
        chain[0].write_text(content)
        assert main(["transformix", *words, "-out", str(out)]) == 1, says
        error = capsys.readouterr().err
        assert says in error
        assert error.count("\n") == 1
        assert {path.name for path in out.iterdir()} <= {"transformix.log"}
    assert "ERROR: " in (out / "transformix.log").read_text()


def test_jac_without_all_is_left_out_with_a_warning(tmp_path, capsys):
    chain = write_chain(tmp_path, "2d", ["euler"], "Compose", image_format="mha")
    assert main(["transformix", "-tp", str(chain[0]), "-jac", "some", "-def", "all", "-out", str(tmp_path)]) == 0
    assert '"-jac all"' in capsys.readouterr().err
    assert not (tmp_path / "spatialJacobian.mha").exists()
    assert (tmp_path / "deformationField.mha").exists()
