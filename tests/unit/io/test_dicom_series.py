"""A folder with DICOM slices is a volume, if it is one."""

import numpy as np
import pytest
import SimpleITK as sitk

from elastix_impact.errors import ImageError
from elastix_impact.io.images import read_image
from elastix_impact.io.warning import InputWarning


def _dicom_series(folder, series, positions_mm, lean=0.0, aside=(), turned=()):
    for k, z in enumerate(positions_mm):
        image = sitk.GetImageFromArray(np.full((1, 5, 6), 100 * k + 7, dtype=np.int16))
        image.SetOrigin((0.0, 0.0, z))
        for tag, value in {
            "0020|000e": f"1.2.826.0.1.{series}", "0008|0018": f"1.2.826.0.1.{series}.{k + 1}", "0008|0060": "CT",
            "0020|0032": f"{40.0 * (k in aside)}\\{lean * z}\\{z}",
            "0020|0037": "0\\1\\0\\-1\\0\\0" if k in turned else "1\\0\\0\\0\\1\\0", "0020|0013": str(k),
            "0020|000d": "1.2.826.0.1.9",
        }.items():  # fmt: skip
            image.SetMetaData(tag, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / f"{series}_{k}.dcm"))
        writer.Execute(image)


def test_a_dicom_folder_gives_its_largest_series_and_names_the_others(tmp_path):
    _dicom_series(tmp_path, "1.2.3", (0.0, 2.5, 5.0, 7.5))
    _dicom_series(tmp_path, "1.2.4", (0.0, 2.5))
    with pytest.warns(InputWarning, match=r"2 DICOM series; .*1\.2\.3 with 4 slices is used, not .*1\.2\.4 \(2\)"):
        image = read_image(tmp_path)
    assert image.grid.size == (6, 5, 4)
    assert image.grid.spacing[2] == pytest.approx(2.5)
    assert image.data[:, 0, 0].tolist() == [7, 107, 207, 307]


def test_a_missing_dicom_slice_is_noticed(tmp_path):
    _dicom_series(tmp_path, "1.2.3", (0.0, 2.5, 7.5, 10.0))
    with pytest.warns(InputWarning, match=r"2\.5 to 5 mm apart"):
        read_image(tmp_path)


def test_a_tilted_gantry_is_refused_with_its_angle(tmp_path):
    _dicom_series(tmp_path, "1.2.3", (0.0, 2.5, 5.0, 7.5), lean=np.tan(np.radians(12)))
    with pytest.raises(ImageError, match=r"stacked at 12\.0 degrees"):
        read_image(tmp_path)


def test_slices_at_one_place_are_refused(tmp_path):
    _dicom_series(tmp_path, "1.2.3", (0.0, 0.0, 2.5, 2.5))
    with pytest.raises(ImageError, match="lie at one place"):
        read_image(tmp_path)


def test_a_slice_far_off_beside_or_turned_is_refused(tmp_path):
    for name, positions, options, says in (
        ("far", (0.0, 2.5, 5.0, 500.0), {}, r"495 mm from the next, the others 2\.5 mm"),
        ("aside", (0.0, 2.5, 5.0, 7.5), {"aside": (1,)}, "slice 2 .* lies 40 mm beside"),
        ("turned", (0.0, 2.5, 5.0, 7.5), {"turned": (2,)}, "1 of the 4 slices .* turned"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        _dicom_series(folder, "1.2.3", positions, **options)
        with pytest.raises(ImageError, match=says):
            read_image(folder)


def test_positions_rounded_to_four_decimals_are_no_gap(tmp_path):
    step = 0.33337
    _dicom_series(tmp_path, "1.2.3", [round(k * step, 4) for k in range(12)])
    image = read_image(tmp_path)
    assert image.grid.spacing[2] == pytest.approx(step, rel=1e-3)
