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
