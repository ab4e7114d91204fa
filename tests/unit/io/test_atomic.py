"""A file is there whole, or not at all, and what the system refuses is said with a remedy."""

import errno
import os
import stat
from pathlib import Path

import pytest

from elastix_impact.errors import OutputError
from elastix_impact.io.atomic import write_text_whole, written_whole


def test_the_file_appears_when_the_block_ends_and_keeps_its_suffix(tmp_path):
    path = tmp_path / "image.nii.gz"
    with written_whole(path) as temporary:
        temporary.write_bytes(b"voxels")
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(".nii.gz")
        assert not path.exists()
    assert path.read_bytes() == b"voxels"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file_alone(tmp_path, error):
    path = tmp_path / "log.txt"
    write_text_whole(path, "old")

    def interrupted():
        with written_whole(path) as temporary:
            temporary.write_text("half of the n")
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_utf_8_whatever_the_locale(tmp_path):
    write_text_whole(tmp_path / "a.txt", "Größe 3 µm\n")
    assert (tmp_path / "a.txt").read_bytes() == "Größe 3 µm\n".encode()


def test_a_missing_folder_a_file_in_its_place_and_a_folder_in_the_files_place(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "taken").mkdir()
    for path, says in (
        (tmp_path / "no" / "a.txt", "No such file or directory"),
        (tmp_path / "file" / "a.txt", "Not a directory"),
        (tmp_path / "taken", "directory"),
    ):
        with pytest.raises(OutputError, match=says) as caught:
            write_text_whole(path, "text")
        assert caught.value.where == str(path)
        assert "output folder" in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken"]


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(errno.ENOSPC, "Free some space"), (errno.EDQUOT, "Free some space"), (errno.EACCES, "permissions")],
)
def test_a_full_disk_and_a_closed_folder_have_their_own_remedies(tmp_path, monkeypatch, code, remedy):
    def refused(self, *arguments, **options):
        raise OSError(code, errno.errorcode[code])

    monkeypatch.setattr(Path, "write_text", refused)
    with pytest.raises(OutputError, match=remedy) as caught:
        write_text_whole(tmp_path / "a.txt", "text")
    assert isinstance(caught.value.__cause__, OSError)
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_on_the_disk_before_the_old_one_goes_and_its_name_before_all_goes_on(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor):
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def replaced(*paths):
        steps.append("rename")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    write_text_whole(tmp_path / "a.txt", "text")
    assert steps == ["file", "rename", "folder"]


def test_temporary_names_can_not_be_known_before(tmp_path):
    names = set()
    for _ in range(5):
        with written_whole(tmp_path / "registration.json") as temporary:
            names.add(temporary.name)
            assert "registration" not in temporary.name
    assert len(names) == 5


def test_links_are_replaced_and_never_followed(tmp_path, monkeypatch):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "a.txt").symlink_to(precious)
    write_text_whole(tmp_path / "a.txt", "text")
    assert not (tmp_path / "a.txt").is_symlink()
    monkeypatch.setattr("secrets.token_hex", lambda size: "known")
    (tmp_path / ".known.txt").symlink_to(precious)
    with pytest.raises(OutputError, match="exists"):
        write_text_whole(tmp_path / "a.txt", "other")
    assert (tmp_path / "a.txt").read_text() == "text"
    assert precious.read_text() == "precious"
