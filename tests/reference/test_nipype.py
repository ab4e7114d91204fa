"""nipype's elastix interfaces, unchanged, with our commands first on the PATH.

nipype 1.11's `EditTransform` calls `str.decode`, which Python 3 lacks, and so can't run with anybody's elastix; what it
does to a file is done here with its own patterns.
"""

import importlib
import importlib.util
import os
import re

import numpy as np
import pytest
import SimpleITK as sitk

from elastix_impact.cli.install_commands import install_commands
from small_case import MOTION, write_small_case

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="nipype runs on POSIX systems"),
    pytest.mark.skipif(importlib.util.find_spec("nipype") is None, reason="nipype is not installed"),
]


@pytest.fixture(scope="module")
def elastix(tmp_path_factory):
    """nipype's module, with our commands first on the PATH and its own question for updates turned off."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("bin")
    install_commands(folder, windows=False)
    patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    patch.setenv("NIPYPE_NO_ET", "1")
    patch.setenv("NO_ET", "1")
    yield importlib.import_module("nipype.interfaces.elastix")
    patch.undo()


@pytest.fixture(scope="module")
def registered(elastix, tmp_path_factory):
    """What Registration gives for the small case, in NIfTI as nipype expects of transformix."""
    data = write_small_case(tmp_path_factory.mktemp("nipype") / "Data")
    text = (data / "ParameterMap.txt").read_text().replace("/Data/", f"{data}/")
    text = text.replace('"mha"', '"nii.gz"') + '(WriteResultImage "true")\n'
    (data / "ParameterMap.txt").write_text(text)
    out = data.parent / "out"
    out.mkdir()
    interface = elastix.Registration(
        fixed_image=str(data / "FixedImage.mha"), moving_image=str(data / "MovingImage.mha"),
        parameters=[str(data / "ParameterMap.txt")], output_path=str(out), num_threads=2,
    )  # fmt: skip
    return data, interface.run(cwd=str(out)).outputs


def run(interface, folder):
    folder.mkdir()
    interface.inputs.output_path = str(folder)
    interface.inputs.num_threads = 2
    return interface.run(cwd=str(folder)).outputs


def array(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def test_registration(registered):
    data, outputs = registered
    assert [os.path.basename(path) for path in outputs.transform] == ["TransformParameters.0.txt"]
    assert outputs.warped_files_flags == [True]
    fixed, moving = array(data / "FixedImage.mha").astype(float), array(data / "MovingImage.mha").astype(float)
    warped = array(outputs.warped_file).astype(float)
    inner = (slice(3, -3),) * 3
    assert np.abs(warped - fixed)[inner].mean() < 0.5 * np.abs(moving - fixed)[inner].mean()


def test_apply_warp_gives_the_image_of_the_registration(elastix, registered, tmp_path):
    data, outputs = registered
    interface = elastix.ApplyWarp(transform_file=outputs.transform[0], moving_image=str(data / "MovingImage.mha"))
    warped = run(interface, tmp_path / "warp").warped_file
    assert np.array_equal(array(warped), array(outputs.warped_file))


def test_analyze_warp(elastix, registered, tmp_path):
    _, outputs = registered
    maps = run(elastix.AnalyzeWarp(transform_file=outputs.transform[0]), tmp_path / "analyze")
    displacement, jacobian, matrices = array(maps.disp_field), array(maps.jacdet_map), array(maps.jacmat_map)
    inner = (slice(5, -5),) * 3
    assert np.abs(displacement[inner].mean(axis=(0, 1, 2)) - MOTION).max() < 1.5
    determinants = np.linalg.det(matrices.reshape(*jacobian.shape, 3, 3).astype(float))
    np.testing.assert_allclose(jacobian, determinants, atol=1e-4)


@pytest.mark.parametrize("suffix", [".txt", ".vtk"])
def test_points_warp(elastix, registered, tmp_path, suffix):
    data, outputs = registered
    points = np.loadtxt(data / "Fixed_landmarks.txt", skiprows=2)
    source = tmp_path / f"points{suffix}"
    rows = "\n".join(" ".join(map(str, row)) for row in points)
    head = "# vtk DataFile Version 3.0\nmesh\nASCII\nDATASET POLYDATA\nPOINTS 20 float\n" if suffix == ".vtk" else ""
    source.write_text(head + (rows if head else f"point\n20\n{rows}") + "\n")
    interface = elastix.PointsWarp(transform_file=outputs.transform[0], points_file=str(source))
    with open(run(interface, tmp_path / "points").warped_file) as file:
        text = file.read()
    if suffix == ".vtk":
        warped = np.array(text.split("float\n")[1].split(), dtype=float).reshape(20, 3)
    else:
        found = re.findall(r"OutputPoint = \[ ([^\]]*) \]", text)
        warped = np.array([line.split() for line in found], dtype=float)
    assert np.linalg.norm(warped - (points + MOTION), axis=1).mean() < 0.5 * np.linalg.norm(MOTION)


def test_a_transform_file_edited_as_edit_transform_does(elastix, registered, tmp_path):
    data, outputs = registered
    with open(outputs.transform[0]) as file:
        text = file.read()
    pattern = elastix.EditTransform._pattern
    edits = {"ResultImagePixelType": "unsigned char", "ResultImageFormat": "nii", "FinalBSplineInterpolationOrder": "0",
             "Size": "10 11 12", "Index": "0 0 0", "Spacing": "8.0000 8.0000 8.0000",
             "Origin": "-60.0000 40.0000 -1000.0000"}  # fmt: skip
    for key, value in edits.items():
        text, count = re.subn(pattern % key, rf"(\g<entry>{value}\g<3>", text)
        assert count == 1, key
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("//")]
    assert all(re.match(r"^\((\w+)\s(.+)\)$", line) for line in lines)
    edited = tmp_path / "Edited.txt"
    edited.write_text(text)
    interface = elastix.ApplyWarp(transform_file=str(edited), moving_image=str(data / "MovingImage.mha"))
    folder = tmp_path / "edited"
    folder.mkdir()
    interface.inputs.output_path = str(folder)
    interface.run(cwd=str(folder))
    image = sitk.ReadImage(str(folder / "result.nii"))
    assert image.GetPixelID() == sitk.sitkUInt8
    assert image.GetSize() == (10, 11, 12)
    assert image.GetSpacing() == (8.0, 8.0, 8.0)


def test_edit_transform_itself_is_broken_in_nipype(elastix, registered):
    """If this fails, nipype has been mended: run EditTransform in the test above instead of its patterns."""
    interface = elastix.EditTransform(transform_file=registered[1].transform[0], output_type="float")
    with pytest.raises(AttributeError, match="decode"):
        interface.run()
