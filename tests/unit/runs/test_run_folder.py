"""The run folder: checked first, cleared of old results, files whole or absent."""

import errno
from pathlib import Path

import pytest

from elastix_impact.errors import OutputError
from elastix_impact.staging.folder import RunFolder


def test_a_folder_is_made_with_its_parents_and_left_empty(tmp_path: Path) -> None:
    folder = RunFolder.open(tmp_path / "a" / "b", create=True)
    assert list(folder.path.iterdir()) == []


def test_a_missing_folder_is_refused_where_it_must_exist(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        RunFolder.open(tmp_path / "absent", create=False)


@pytest.mark.parametrize("create", [True, False])
def test_a_file_is_no_folder(tmp_path: Path, create: bool) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        RunFolder.open(tmp_path / "file", create=create)


def test_a_folder_below_a_file_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be written"):
        RunFolder.open(tmp_path / "file" / "out", create=True)


def test_text_is_written_whole_and_listed_once(tmp_path: Path) -> None:
    folder = RunFolder.open(tmp_path, create=True)
    folder.write_text("a.txt", "one")
    folder.write_text("a.txt", "two")
    assert (tmp_path / "a.txt").read_text() == "two"
    assert folder.files == ["a.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_leaves_the_old_file_and_names_the_remedy(tmp_path: Path, monkeypatch) -> None:
    folder = RunFolder.open(tmp_path, create=True)
    folder.write_text("a.txt", "old")

    def full(*_args: object, **_more: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match=r"No space left.*Free some space"):
        folder.write_text("a.txt", "new")
    monkeypatch.undo()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_old_results_go_and_everything_else_stays(tmp_path: Path) -> None:
    old = [
        "TransformParameters.0.txt", "TransformParameters.0.R1.txt", "TransformParameters.0.R0.It0000003.txt",
        "TransformParameters.0-Composite.tfm", "TransformParameters.0.itk.txt", "IterationInfo.0.R0.txt",
        "result.0.mha", "result.0.R1.nii.gz", "result.0.raw", "FixedImagePyramid0.0.R0.nii",
    ]  # fmt: skip
    others = [
        "TransformParameters.1.txt",
        "result.1.mha",
        "notes.txt",
        "result.txt",
        "result.0.backup/",
        "FixedImage.mha",
    ]
    for name in [*old, *others]:
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).write_text(name)
    RunFolder(tmp_path).clear_stages(1, {"result"}, [])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(name.rstrip("/") for name in others)


def test_inputs_of_the_run_are_never_cleared(tmp_path: Path) -> None:
    for name in ("result.0.mhd", "result.0.raw", "TransformParameters.0.txt"):
        (tmp_path / name).write_text(name)
    RunFolder(tmp_path).clear_stages(1, {"result"}, [tmp_path / "result.0.mhd"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["result.0.mhd", "result.0.raw"]
