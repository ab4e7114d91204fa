"""What goes when a run puts its result into a folder, and what is of others and stays."""

import json
from pathlib import Path

import pytest

from elastix_impact.errors import OutputError
from elastix_impact.staging.earlier import aside_files, is_complete, record_of, refuse_inputs, result_files

OLD = [
    "TransformParameters.0.txt", "TransformParameters.0.R1.txt", "TransformParameters.0.R0.It0000003.txt",
    "TransformParameters.0-Composite.tfm", "TransformParameters.0.itk.txt", "IterationInfo.0.R0.txt",
    "result.0.mha", "result.0.R1.nii.gz", "result.0.raw", "FixedImagePyramid0.0.R0.nii", "registration.json",
    "evaluation.json", "landmarks.csv", "report.html", "viewer.html", "InitialTransform.0.txt", "moved_labels.nii.gz",
]  # fmt: skip
OTHERS = ["TransformParameters.1.txt", "result.1.mha", "notes.txt", "result.txt", "FixedImage.mha", "seeds/notes.txt"]


def fill(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_what_a_run_of_one_stage_writes_goes_and_everything_else_stays(tmp_path: Path) -> None:
    fill(tmp_path, [*OLD, *OTHERS])
    (tmp_path / "result.0.backup").mkdir()
    assert sorted(result_files(tmp_path, 1, {"result"})) == sorted(OLD)


def test_what_the_earlier_record_lists_goes_too_with_its_voxels(tmp_path: Path) -> None:
    fill(tmp_path, ["TransformParameters.1.txt", "result.1.raw", "Features/a.mha", "mine.mha", "Features/mine.mha"])
    (tmp_path / "result.1.mhd").write_text("ElementDataFile = result.1.raw\n")
    listed = ["TransformParameters.1.txt", "result.1.mhd", "Features/a.mha", "absent", "../outside", 7]
    (tmp_path / "registration.json").write_text(json.dumps({"files": listed}))
    expected = {"registration.json", "TransformParameters.1.txt", "result.1.mhd", "result.1.raw", "Features/a.mha"}
    assert set(result_files(tmp_path, 1, {"result"})) == expected


def test_further_seeds_go_with_the_run(tmp_path: Path) -> None:
    fill(tmp_path, ["seeds/6/elastix.log", "seeds/6/TransformParameters.0.txt", "seeds/7/elastix.log", "seeds/6/mine"])
    (tmp_path / "seeds/6/registration.json").write_text("{}")
    found = {"seeds/6/elastix.log", "seeds/6/TransformParameters.0.txt", "seeds/6/registration.json"}
    assert set(result_files(tmp_path, 1, ())) == found, "7 has no record, and may be anybody's"


def test_maps_and_inputs_of_the_earlier_run_go_unless_they_are_read_now(tmp_path: Path) -> None:
    fill(tmp_path, ["preset/general.0.txt", "preset/general.1.txt", "inputs/fixed.mha"])
    assert aside_files(tmp_path, []) == [], "without a record they are not known to be ours"
    (tmp_path / "registration.json").write_text('{"complete": true}')
    found = aside_files(tmp_path, [tmp_path / "preset" / "general.1.txt"])
    assert sorted(found) == ["inputs/fixed.mha", "preset/general.0.txt"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"complete": "yes"}', '{"complete": false}'])
def test_what_is_no_complete_record(text: str, tmp_path: Path) -> None:
    (tmp_path / "registration.json").write_text(text)
    assert not is_complete(tmp_path)
    assert isinstance(record_of(tmp_path), dict)


def test_a_run_may_not_read_what_it_replaces(tmp_path: Path) -> None:
    fill(tmp_path, ["result.0.mha", "result.1.mha", "TransformParameters.1.txt"])
    with pytest.raises(OutputError, match=r"replace the input .*result\.0\.mha"):
        refuse_inputs(tmp_path, 1, {"result"}, (), [tmp_path / "result.0.mha"])
    refuse_inputs(tmp_path, 1, {"result"}, (), [tmp_path / "result.1.mha", tmp_path / "TransformParameters.1.txt"])
    (tmp_path / "registration.json").write_text(json.dumps({"files": ["TransformParameters.1.txt"]}))
    with pytest.raises(OutputError, match=r"TransformParameters\.1\.txt"):
        refuse_inputs(tmp_path, 1, {"result"}, (), [tmp_path / "TransformParameters.1.txt"])
    refuse_inputs(tmp_path / "absent", 1, {"result"}, (), [tmp_path / "result.0.mha"])
