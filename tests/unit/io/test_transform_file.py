"""elastix's transform files: what is written is read back, and what is wrong is named."""

import pytest
import torch

from elastix_impact.errors import TransformFileError
from elastix_impact.io.transform_file import (
    ResampleSettings,
    TransformRecord,
    read_transform_chain,
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
    second = TransformRecord(transform=kinds["spline 3"], fixed_grid=grid, initial="first.txt", combination=combination)
    write_transform_file(folder / "second.txt", second)
    return kinds, points_inside(grid)


@pytest.mark.parametrize("combination", ["Compose", "Add"])
def test_a_chain_is_followed_beside_the_file_that_names_it(tmp_path, combination):
    kinds, points = _chain(tmp_path, combination)
    expected = CompositeTransform(kinds["euler"], kinds["spline 3"], combination)
    torch.testing.assert_close(
        read_transform_chain(tmp_path / "second.txt").map_points(points), expected.map_points(points), atol=1e-9, rtol=0
    )


def test_the_file_s_own_folder_comes_first_then_the_working_directory(tmp_path, monkeypatch):
    kinds, points = _chain(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    grid = GRIDS["oblique anisotropic"]
    write_transform_file(elsewhere / "first.txt", TransformRecord(transform=kinds["translation"], fixed_grid=grid))
    monkeypatch.chdir(elsewhere)
    for initial in (kinds["euler"], kinds["translation"]):
        chain = read_transform_chain(tmp_path / "second.txt")
        expected = CompositeTransform(initial, kinds["spline 3"], "Compose")
        torch.testing.assert_close(chain.map_points(points), expected.map_points(points), atol=1e-9, rtol=0)
        (tmp_path / "first.txt").unlink(missing_ok=True)


def test_the_old_spelling_of_the_initial_transform_is_read(tmp_path):
    _chain(tmp_path)
    path = tmp_path / "second.txt"
    path.write_text(path.read_text().replace("InitialTransformParameterFileName", "InitialTransformParametersFileName"))
    assert isinstance(read_transform_chain(path), CompositeTransform)


def test_a_chain_that_bites_its_tail_is_refused(tmp_path):
    _chain(tmp_path)
    path = tmp_path / "first.txt"
    path.write_text(path.read_text().replace("NoInitialTransform", "second.txt"))
    with pytest.raises(TransformFileError, match="comes back to this file"):
        read_transform_chain(tmp_path / "second.txt")


def test_a_missing_initial_transform_names_both_places(tmp_path):
    _chain(tmp_path)
    (tmp_path / "first.txt").unlink()
    with pytest.raises(TransformFileError, match=r"first\.txt is missing.*or.*first\.txt"):
        read_transform_chain(tmp_path / "second.txt")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"EulerTransform"', '"WeightedCombinationTransform"', '"WeightedCombinationTransform" is not supported'),
        ("(NumberOfParameters 6)", "(NumberOfParameters 7)", "has 6 values. Expected: 7"),
        ("(TransformParameters ", "(TransformParameters x ", "no number"),
        ("(TransformParameters ", "(Nothing ", "TransformParameters: is missing"),
        ("(CenterOfRotationPoint ", "(Nothing ", "CenterOfRotationPoint: is missing"),
        ("(Size ", "(Nothing ", "Size: is missing"),
        ("(Spacing 1.5 2 3.5)", "(Spacing 1.5 2)", "Spacing: has 2 values. Expected: 3"),
    ],
)
def test_faults_are_named_with_file_and_key(tmp_path, old, new, says):
    _chain(tmp_path)
    path = tmp_path / "first.txt"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(TransformFileError, match=says) as caught:
        read_transform_file(path)
    assert "first.txt" in str(caught.value)


def test_a_chain_in_one_file_is_refused(tmp_path):
    grid = GRIDS["axis aligned"]
    kinds = samples(grid)
    chain = CompositeTransform(kinds["euler"], kinds["affine"])
    with pytest.raises(TransformFileError, match="no single transform"):
        write_transform_file(tmp_path / "a.txt", TransformRecord(transform=chain, fixed_grid=grid))
    assert list(tmp_path.iterdir()) == []
