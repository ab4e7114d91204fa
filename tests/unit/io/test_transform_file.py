"""elastix's transform files: what is written is read back, and what is wrong is named."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from elastix_impact.errors import OutputError, TransformFileError
from elastix_impact.io.itk_transform import write_itk_transform
from elastix_impact.io.read_transform import read_initial_transform
from elastix_impact.io.transform_file import (
    ResampleSettings,
    TransformRecord,
    read_transform_file,
    write_transform_file,
)
from elastix_impact.transforms.composite import CompositeTransform
from transform_samples import GRIDS, points_inside, samples

CASES = [(name, kind) for name, grid in GRIDS.items() for kind in samples(grid)]


@pytest.mark.parametrize("suffix", [".txt", ".toml"])
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_read_undoes_write_to_the_last_bit(tmp_path, name, kind, suffix):
    grid = GRIDS[name]
    transform = samples(grid)[kind]
    settings = ResampleSettings(
        interpolation_order=2, default_pixel_value=-1000.5, image_format="nii.gz", pixel_type="float", compress=True
    )
    path = tmp_path / f"TransformParameters.0{suffix}"
    write_transform_file(
        path, TransformRecord(transform=transform, fixed_grid=grid, combination="Add", resample=settings)
    )
    back = read_transform_file(path)
    assert type(back.transform) is type(transform)
    assert torch.equal(back.transform.parameters, transform.parameters)
    points = points_inside(grid)
    assert torch.equal(back.transform.map_points(points), transform.map_points(points))
    assert (back.fixed_grid, back.combination, back.resample, back.initial) == (grid, "Add", settings, None)


def _chain(folder, combination="Compose"):
    grid = GRIDS["oblique anisotropic"]
    kinds = samples(grid)
    write_transform_file(folder / "first.txt", TransformRecord(transform=kinds["euler"], fixed_grid=grid))
    second = TransformRecord(
        transform=kinds["spline 3"], fixed_grid=grid, initial=Path("first.txt"), combination=combination
    )
    write_transform_file(folder / "second.txt", second)
    return kinds, points_inside(grid)


@pytest.mark.parametrize("combination", ["Compose", "Add"])
def test_a_chain_is_followed_beside_the_file_that_names_it(tmp_path, combination):
    kinds, points = _chain(tmp_path, combination)
    expected = CompositeTransform(kinds["euler"], kinds["spline 3"], combination)
    torch.testing.assert_close(
        read_initial_transform(tmp_path / "second.txt").map_points(points),
        expected.map_points(points),
        atol=1e-9,
        rtol=0,
    )


def test_the_file_s_own_folder_comes_first_then_the_working_directory(tmp_path, monkeypatch):
    kinds, points = _chain(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    grid = GRIDS["oblique anisotropic"]
    write_transform_file(elsewhere / "first.txt", TransformRecord(transform=kinds["translation"], fixed_grid=grid))
    monkeypatch.chdir(elsewhere)
    for initial in (kinds["euler"], kinds["translation"]):
        chain = read_initial_transform(tmp_path / "second.txt")
        expected = CompositeTransform(initial, kinds["spline 3"], "Compose")
        torch.testing.assert_close(chain.map_points(points), expected.map_points(points), atol=1e-9, rtol=0)
        (tmp_path / "first.txt").unlink(missing_ok=True)


def test_the_old_spelling_of_the_initial_transform_is_read(tmp_path):
    _chain(tmp_path)
    path = tmp_path / "second.txt"
    path.write_text(path.read_text().replace("InitialTransformParameterFileName", "InitialTransformParametersFileName"))
    assert isinstance(read_initial_transform(path), CompositeTransform)


def test_a_chain_that_bites_its_tail_is_refused(tmp_path):
    _chain(tmp_path)
    path = tmp_path / "first.txt"
    path.write_text(path.read_text().replace("NoInitialTransform", "second.txt"))
    with pytest.raises(TransformFileError, match="comes back to this file"):
        read_initial_transform(tmp_path / "second.txt")


def test_a_missing_initial_transform_names_both_places(tmp_path):
    _chain(tmp_path)
    (tmp_path / "first.txt").unlink()
    with pytest.raises(TransformFileError, match=r"first\.txt is missing.*or.*first\.txt"):
        read_initial_transform(tmp_path / "second.txt")


def _with_value(text, key, value):
    """The transform file `text` with other values of `key`; None takes the key away."""
    changed = re.sub(rf"\({key} [^)]*\)", "" if value is None else f"({key} {value})", text)
    assert changed != text
    return changed


FAULTS_OF_ANY = [
    ("Transform", '"WeightedCombinationTransform"', '"WeightedCombinationTransform" is not supported'),
    ("Transform", '"File"', '"File" needs TransformFileName'),
    ("NumberOfParameters", "7", "TransformParameters: has .* values. Expected: 7"),
    ("NumberOfParameters", "nan", "NaN"),
    ("TransformParameters", "1 x 3", "no number"),
    ("TransformParameters", "1 nan 3", "NaN or infinite"),
    ("TransformParameters", None, "TransformParameters: is missing"),
    ("Size", None, "Size: is missing"),
    ("Size", "0 4 4", "not positive"),
    ("Size", "2.5 4 4", "no whole number"),
    ("Size", "inf 4 4", "NaN or infinite"),
    ("Size", "4", "has 1 values. Expected: 2 or 3"),
    ("Spacing", "1.5 2", "Spacing: has 2 values. Expected: 3"),
    ("Spacing", "0 1 1", "not positive"),
    ("Origin", "nan 0 0", "NaN or infinite"),
    ("Direction", "1 0 0 1", "Direction: has 4 values. Expected: 9"),
    ("Direction", "0 0 0 0 0 0 0 0 0", "singular"),
    ("FixedImageDimension", "2", "does not fit a transform of 3 dimensions"),
    ("MovingImageDimension", "2", "does not fit a transform of 3 dimensions"),
    ("HowToCombineTransforms", '"Sum"', '"Sum" is unknown'),
    ("UseDirectionCosines", '"maybe"', 'is "maybe"'),
    ("FinalBSplineInterpolationOrder", "7", "is 7. Expected: 0 to 5"),
    ("DefaultPixelValue", "black", "no number"),
]
FAULTS = {
    "euler": [
        *FAULTS_OF_ANY,
        ("CenterOfRotationPoint", None, "CenterOfRotationPoint: is missing"),
        ("CenterOfRotationPoint", "1 2", "in 2 dimensions has 3 parameters"),
        ("ComputeZYX", '"what"', 'is "what"'),
    ],
    "spline 3": [
        *FAULTS_OF_ANY,
        ("GridSize", "3 3 3", "at least 4 control points"),
        ("GridSize", "5 5 5", "has 375 parameters"),
        ("GridSpacing", "0 1 1", "not positive"),
        ("GridDirection", "1", "GridDirection: has 1 values. Expected: 9"),
        ("GridIndex", "0 0", "GridIndex: has 2 values. Expected: 3"),
        ("BSplineTransformSplineOrder", "4", "is 4. Expected: 1, 2 or 3"),
        ("UseCyclicTransform", '"true"', "cyclic B-splines are not supported"),
    ],
}


@pytest.mark.parametrize(
    ("kind", "key", "value", "says"), [(kind, *fault) for kind, faults in FAULTS.items() for fault in faults]
)
def test_faults_are_named_with_file_and_key(tmp_path, kind, key, value, says):
    grid, path = GRIDS["oblique anisotropic"], tmp_path / "first.txt"
    write_transform_file(path, TransformRecord(transform=samples(grid)[kind], fixed_grid=grid))
    path.write_text(_with_value(path.read_text(), key, value))
    with pytest.raises(TransformFileError, match=says) as caught:
        read_transform_file(path)
    message = str(caught.value)
    named = re.match(rf"{re.escape(str(path))}(?::(\d+))?: (\w+): ", message)
    assert named, message
    lines = [number for number, line in enumerate(path.read_text().splitlines(), 1) if line.startswith(f"({named[2]} ")]
    assert named[1] == (str(lines[0]) if lines else None), message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "Transform: is missing"),
        (b"\xff\xfe\x00\x01", "not text"),
        (b'(Transform "EulerTransform")\n(Size 4 4', r"t\.txt:2: not a transform file: Size: the parenthesis"),
        (b"(Size 4)\n(Size 4)\n", r"t\.txt:2: .*given twice"),
        (b'(Transform "BSplineTransform")\n(Metric "Impact")\n', "a map of settings, no transform"),
    ],
)
def test_files_that_are_no_transforms_are_refused(tmp_path, content, says):
    (tmp_path / "t.txt").write_bytes(content)
    with pytest.raises(TransformFileError, match=says):
        read_transform_file(tmp_path / "t.txt")


def test_a_first_voxel_that_is_not_zero_moves_the_grid(tmp_path):
    grid, path = GRIDS["oblique anisotropic"], tmp_path / "t.txt"
    spline = samples(grid)["spline 3"]
    write_transform_file(path, TransformRecord(transform=spline, fixed_grid=grid))
    index = torch.tensor([[-2.0, 3.0, 1.0]], dtype=torch.float64)
    moved = replace(grid, origin=tuple(grid.to_world(-index)[0].tolist()))
    lattice = replace(spline.grid, origin=tuple(spline.grid.to_world(-index)[0].tolist()))
    text = path.read_text()
    for key, value in (("", moved), ("Grid", lattice)):
        text = _with_value(text, f"{key}Origin", " ".join(map(repr, value.origin)))
        text = _with_value(text, f"{key}Index", "-2 3 1")
    path.write_text(text)
    record = read_transform_file(path)
    assert record.fixed_grid.same_as(grid, 1e-9)
    points = points_inside(grid)
    torch.testing.assert_close(record.transform.map_points(points), spline.map_points(points), atol=1e-9, rtol=0)


@pytest.mark.parametrize("suffix", [".tfm", ".h5", ".itk.txt"])
@pytest.mark.parametrize("kind", ["euler", "spline 2"])
def test_a_transform_kept_in_an_itk_file_is_found_beside(tmp_path, kind, suffix, monkeypatch):
    grid = GRIDS["flipped"]
    transform, points = samples(grid)[kind], points_inside(grid)
    write_itk_transform(tmp_path / f"t{suffix}", transform)
    record = TransformRecord(transform=transform, fixed_grid=grid, exported_file=Path(f"t{suffix}"))
    write_transform_file(tmp_path / "t.0.txt", record)
    assert "TransformParameters" not in (tmp_path / "t.0.txt").read_text()
    monkeypatch.chdir("/")
    back = read_transform_file(tmp_path / "t.0.txt")
    assert back.exported_file == Path(f"t{suffix}")
    torch.testing.assert_close(back.transform.map_points(points), transform.map_points(points), atol=1e-6, rtol=0)
    (tmp_path / f"t{suffix}").unlink()
    with pytest.raises(TransformFileError, match=r"no such transform file"):
        read_transform_file(tmp_path / "t.0.txt")


@pytest.mark.parametrize(
    ("name", "order"), [("FinalNearestNeighborInterpolator", 0), ("FinalLinearInterpolator", 1), (None, 2)]
)
def test_the_interpolator_s_name_may_say_its_order(tmp_path, name, order):
    grid, path = GRIDS["2d"], tmp_path / "t.txt"
    settings = ResampleSettings(interpolation_order=2)
    write_transform_file(path, TransformRecord(transform=samples(grid)["affine"], fixed_grid=grid, resample=settings))
    if name is not None:
        path.write_text(_with_value(path.read_text(), "ResampleInterpolator", f'"{name}"'))
    assert read_transform_file(path).resample.interpolation_order == order


def test_nothing_is_left_where_the_folder_is_missing(tmp_path):
    grid = GRIDS["2d"]
    record = TransformRecord(transform=samples(grid)["affine"], fixed_grid=grid)
    for write in (write_transform_file, lambda path, r: write_itk_transform(path, r.transform)):
        with pytest.raises(OutputError, match="No such file or directory"):
            write(tmp_path / "nowhere" / "t.tfm", record)
    assert list(tmp_path.iterdir()) == []


def test_a_chain_in_one_file_is_refused(tmp_path):
    grid = GRIDS["axis aligned"]
    kinds = samples(grid)
    chain = CompositeTransform(kinds["euler"], kinds["affine"])
    with pytest.raises(TransformFileError, match="no single transform"):
        write_transform_file(tmp_path / "a.txt", TransformRecord(transform=chain, fixed_grid=grid))
    assert list(tmp_path.iterdir()) == []
