"""The folder contract: names, precedence, and words for what is missing or doubtful."""

import re
import warnings
from pathlib import Path

import pytest

from elastix_impact.errors import InputError
from elastix_impact.io.find_inputs import find_inputs
from elastix_impact.io.warning import InputWarning


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text("")
    return folder


COMPLETE = ("Fixed_image.mha", "Moving_image.nii.gz", "ParameterMap.txt")


def test_the_smallest_case(tmp_path: Path) -> None:
    found = find_inputs(fill(tmp_path, *COMPLETE))
    assert found.fixed.name == "Fixed_image.mha"
    assert found.moving.name == "Moving_image.nii.gz"
    assert [path.name for path in found.maps] == ["ParameterMap.txt"]
    assert found.fixed_mask is found.moving_mask is found.fixed_points is found.moving_points is None


def test_everything_with_the_other_spelling(tmp_path: Path) -> None:
    found = find_inputs(
        fill(
            tmp_path, "FixedImage.nrrd", "MovingImage.mhd", "ParameterMap.toml", "FixedMask.mha", "Moving_mask.nii",
            "Fixed_landmarks.fcsv", "Moving_landmarks.mrk.json",
        )
    )  # fmt: skip
    assert found.fixed_mask is not None
    assert found.moving_mask is not None
    assert found.fixed_points == tmp_path / "Fixed_landmarks.fcsv"
    assert found.moving_points == tmp_path / "Moving_landmarks.mrk.json"


def test_stages_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    fill(
        tmp_path, *COMPLETE, "ParameterMap.10.txt", "ParameterMap.2.txt", "ParameterMap.1.toml", "ParameterMap.old.txt"
    )
    names = [path.name for path in find_inputs(tmp_path).maps]
    assert names == ["ParameterMap.txt", "ParameterMap.1.toml", "ParameterMap.2.txt", "ParameterMap.10.txt"]


def test_mha_goes_before_nifti_with_a_warning(tmp_path: Path) -> None:
    fill(tmp_path, *COMPLETE, "FixedImage.nii.gz")
    with pytest.warns(UserWarning, match=r"Fixed_image.mha is used, FixedImage.nii.gz not"):
        assert find_inputs(tmp_path).fixed.name == "Fixed_image.mha"


def test_a_folder_of_that_name_is_a_dicom_series(tmp_path: Path) -> None:
    fill(tmp_path, *COMPLETE[1:])
    (tmp_path / "FixedImage").mkdir()
    assert find_inputs(tmp_path).fixed == tmp_path / "FixedImage"


def test_a_text_map_goes_before_toml_with_a_warning(tmp_path: Path) -> None:
    fill(tmp_path, *COMPLETE, "ParameterMap.toml")
    with pytest.warns(UserWarning, match=r"ParameterMap.txt is used, ParameterMap.toml not"):
        assert [path.name for path in find_inputs(tmp_path).maps] == ["ParameterMap.txt"]


def test_landmarks_and_moving_labels_alone_are_of_use(tmp_path: Path) -> None:
    fill(tmp_path, *COMPLETE, "Fixed_landmarks.txt", "Moving_labels.nii.gz", "Label_names.json")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = find_inputs(tmp_path)
    assert found.fixed_points == tmp_path / "Fixed_landmarks.txt"
    assert found.moving_labels == tmp_path / "Moving_labels.nii.gz"
    assert found.label_names == tmp_path / "Label_names.json"
    assert found.moving_points is found.fixed_labels is None


def test_a_partner_whose_name_is_misspelt_is_pointed_at(tmp_path: Path) -> None:
    fill(tmp_path, *COMPLETE, "Fixed_landmarks.txt", "Moving_landmark.txt")
    with pytest.warns(UserWarning, match=r"Moving_landmark.txt is not read: .* looked for as Moving_landmarks or"):
        assert find_inputs(tmp_path).fixed_points == tmp_path / "Fixed_landmarks.txt"


def test_fixed_labels_alone_are_not_used_with_a_warning(tmp_path: Path) -> None:
    fill(tmp_path, *COMPLETE, "Fixed_labels.mha")
    with pytest.warns(UserWarning, match=r"Fixed_labels.mha has no partner: put Moving_labels.mha"):
        assert find_inputs(tmp_path).fixed_labels is None


def test_a_missing_image_names_what_was_looked_for_and_what_is_similar(tmp_path: Path) -> None:
    fill(tmp_path, "fixed_img.mha", *COMPLETE[1:])
    with pytest.raises(InputError) as caught:
        find_inputs(tmp_path)
    text = str(caught.value)
    for words in (str(tmp_path), "FixedImage or Fixed_image", ".nii.gz", "fixed_img.mha", "Rename"):
        assert words in text


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Fixed_Mask.nii.gz", "the fixed mask is looked for as Fixed_mask or FixedMask with .mha, .mhd, .nii.gz"),
        ("moving-mask.mha", "the moving mask is looked for as Moving_mask"),
        ("MovingMask.NII.GZ", "the moving mask is looked for"),
        ("Fixed_mask.img", "the fixed mask is looked for"),
        ("Fixed_landmarks.csv", "the fixed landmarks are looked for as Fixed_landmarks or FixedLandmarks with .txt"),
        ("Moving_label.nii.gz", "the moving labels are looked for"),
        ("Labels_names.json", "the label names are looked for"),
        ("ParameterMap1.txt", "further stages are looked for as ParameterMap.1.txt"),
        ("parametermap.1.txt", "further stages are looked for as ParameterMap.1.txt"),
    ],
)
def test_what_is_called_nearly_right_is_pointed_at(tmp_path: Path, name: str, says: str) -> None:
    with pytest.warns(InputWarning, match=re.escape(says)) as caught:
        find_inputs(fill(tmp_path, *COMPLETE, name))
    assert [str(one.message).startswith(f"{tmp_path / name} is not read: ") for one in caught] == [True]


def test_other_files_and_second_spellings_of_what_is_there_are_left_in_peace(tmp_path: Path) -> None:
    fill(tmp_path, *COMPLETE, "Fixed_mask.mha", "Fixed_Mask.nii.gz", "notes.txt", "ParameterMap.old.txt", ".mask")
    (tmp_path / "Models").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_inputs(tmp_path).fixed_mask == tmp_path / "Fixed_mask.mha"


def test_a_folder_with_images_alone_is_not_called_empty(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no parameter map .* the folder holds Fixed_image.mha, Moving_image.nii.gz"):
        find_inputs(fill(tmp_path, *COMPLETE[:2]))


def test_a_missing_map_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no parameter map.*parametermap.TXT"):
        find_inputs(fill(tmp_path, *COMPLETE[:2], "parametermap.TXT"))


def test_an_empty_or_absent_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the folder is empty"):
        find_inputs(tmp_path)
    with pytest.raises(InputError, match=r"no such folder.*docker run -v"):
        find_inputs(tmp_path / "absent")


def test_a_clean_case_warns_of_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        find_inputs(fill(tmp_path, *COMPLETE))
