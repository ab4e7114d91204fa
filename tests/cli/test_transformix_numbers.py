"""Numbers that a result's type can't hold as they are: labels that float32 would change, values beyond the type."""

import numpy as np
import pytest
import SimpleITK as sitk

from elastix_impact.cli.main import main


@pytest.mark.parametrize("number", [16777217, 614454277, 4294967295])
def test_labels_beyond_float32_keep_their_numbers(tmp_path, number):
    labels = np.zeros((5, 6, 7), dtype=np.uint32)
    labels[1:4, 2:5, 2:5] = number
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(tmp_path / "atlas.nii.gz"))
    (tmp_path / "T.txt").write_text(
        '(Transform "TranslationTransform")\n(NumberOfParameters 3)\n(TransformParameters 1 0 0)\n(Size 7 6 5)\n'
        '(Spacing 1 1 1)\n(Origin 0 0 0)\n(FinalBSplineInterpolationOrder 0)\n(ResultImageFormat "mha")\n'
        '(ResultImagePixelType "unsigned int")\n'
    )
    words = [
        "transformix",
        "-tp",
        str(tmp_path / "T.txt"),
        "-in",
        str(tmp_path / "atlas.nii.gz"),
        "-out",
        str(tmp_path),
    ]
    assert main(words) == 0
    expected = np.zeros_like(labels)
    expected[..., :-1] = labels[..., 1:]
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "result.mha"))), expected)


def test_numbers_beyond_the_pixel_type_are_told(tmp_path, capsys):
    labels = np.zeros((5, 6, 7), dtype=np.uint16)
    labels[1:4, 2:5, 2:5] = 40000
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(tmp_path / "a.mha"))
    (tmp_path / "T.txt").write_text(
        '(Transform "TranslationTransform")\n(NumberOfParameters 3)\n(TransformParameters 0 0 0)\n(Size 7 6 5)\n'
        '(Spacing 1 1 1)\n(Origin 0 0 0)\n(ResultImageFormat "mha")\n(ResultImagePixelType "short")\n'
    )
    assert (
        main(["transformix", "-tp", str(tmp_path / "T.txt"), "-in", str(tmp_path / "a.mha"), "-out", str(tmp_path)])
        == 0
    )
    assert "values from 0 to 40000; those beyond -32768 to 32767 are clipped" in capsys.readouterr().err
