"""Transforms to start from, written by hand or by SlicerElastix: no grid is needed for them."""

import pytest
import SimpleITK as sitk
import torch

from elastix_impact.applying.transformix import TransformixCase, run_transformix
from elastix_impact.errors import TransformFileError
from elastix_impact.geometry.grid import Grid
from elastix_impact.io.read_transform import read_initial_transform, read_transform
from elastix_impact.io.transform_file import known_grid, read_transform_file, write_transform_file

BY_HAND = """\
(Transform "{}")
(NumberOfParameters {})
(TransformParameters {})
(InitialTransformParametersFileName "NoInitialTransform")
(HowToCombineTransforms "Compose")
"""
SLICER = """\
(InitialTransformParametersFileName "NoInitialTransform")
(HowToCombineTransforms "Compose")
(Transform "File")
(TransformFileName "{}")
"""
POINTS = torch.tensor([[1.0, 2.0, 3.0], [-40.0, 50.0, 600.0]], dtype=torch.float64)


def by_hand(path, kind="TranslationTransform", parameters="1 2 3", more=""):
    path.write_text(BY_HAND.format(kind, len(parameters.split()), parameters) + more)
    return path


def test_a_translation_by_hand_needs_no_grid(tmp_path):
    path = by_hand(tmp_path / "t0.txt")
    stored = read_transform(path)
    assert stored.record.fixed_grid is None
    torch.testing.assert_close(stored.in_world().map_points(POINTS), POINTS + torch.tensor([1.0, 2.0, 3.0]))


def test_slicers_four_lines_are_the_file_that_they_name(tmp_path):
    euler = sitk.Euler3DTransform((10.0, 0.0, 0.0), 0.1, 0.0, 0.05, (1.0, 2.0, 3.0))
    for name in ("init.h5", "init.tfm"):
        sitk.WriteTransform(euler, str(tmp_path / name))
        for written in (tmp_path / name, name):
            (tmp_path / "t0.txt").write_text(SLICER.format(written))
            found = read_initial_transform(tmp_path / "t0.txt").map_points(POINTS)
            expected = torch.tensor([euler.TransformPoint(p) for p in POINTS.tolist()], dtype=torch.float64)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_a_chain_may_begin_without_a_grid(tmp_path):
    by_hand(tmp_path / "t0.txt")
    grid = Grid.axis_aligned((4, 5, 6), (1.0, 1.0, 1.0))
    record = read_transform_file(tmp_path / "t0.txt")
    with pytest.raises(TransformFileError, match="Size: is missing"):
        write_transform_file(tmp_path / "t1.txt", record)
    text = f'(InitialTransformParameterFileName "t0.txt")\n(Size {" ".join(map(str, grid.size))})\n'
    frame = "(Spacing 1 1 1)\n(Origin 0 0 0)\n"
    more = by_hand(tmp_path / "t1.txt", parameters="10 0 0").read_text().replace("InitialTransformParameters", "Other")
    (tmp_path / "t1.txt").write_text(more + text + frame)
    expected = POINTS + torch.tensor([11.0, 2.0, 3.0])
    torch.testing.assert_close(read_initial_transform(tmp_path / "t1.txt").map_points(POINTS), expected)


@pytest.mark.parametrize(
    ("parameters", "more", "says"),
    [
        ("1 2 3 4", "", "TransformParameters: are those of 4 dimensions. Expected: 2 or 3"),
        ("1", "", "TransformParameters: are those of 1 dimensions"),
        ("1 2 3", "(FixedImageDimension 2)\n", "FixedImageDimension: does not fit"),
        ("1 2 3", "(Size 4 4 4)\n", "Spacing: is missing"),
        ("1 2 3", "(Origin 0 0 0)\n", "Size: is missing"),
        ("1 2 3", "(Direction 1 0 0 0 1 0 0 0 1)\n", "Size: is missing"),
        ("1 2 3", "(DefaultPixelValue 1 2)\n", "DefaultPixelValue: has 2 values. Expected: 1"),
    ],
)
def test_half_a_grid_and_wrong_numbers_are_refused(tmp_path, parameters, more, says):
    path = by_hand(tmp_path / "t0.txt", parameters=parameters, more=more)
    with pytest.raises(TransformFileError, match=says):
        read_transform(path)


def test_where_a_grid_is_needed_the_error_says_so(tmp_path):
    path = by_hand(tmp_path / "t0.txt")
    sitk.WriteImage(sitk.Image(4, 5, 6, sitk.sitkFloat32), str(tmp_path / "m.mha"))
    with pytest.raises(TransformFileError, match=r"Size: is missing.*starting transform needs no grid"):
        run_transformix(TransformixCase(transform=path, out=tmp_path, image=tmp_path / "m.mha"))
    with pytest.raises(TransformFileError, match="Size: is missing"):
        known_grid(read_transform_file(path), path)
    turned = by_hand(tmp_path / "t1.txt", more='(UseDirectionCosines "false")\n')
    with pytest.raises(TransformFileError, match="Size: is missing"):
        read_transform(turned).in_world(Grid.axis_aligned((4, 5, 6), (1.0, 1.0, 1.0)))
