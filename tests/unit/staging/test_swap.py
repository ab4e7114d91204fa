"""A result takes another one's place: whole, or not at all, or visibly not yet and then whole."""

import errno
import itertools
import json
from pathlib import Path

import pytest

from elastix_impact.errors import OutputError
from elastix_impact.staging import swap as swap_module
from elastix_impact.staging.swap import JOURNAL, RECORD, Swap, finish_swap
from failing_files import FailingFiles

OLD = {
    RECORD: "old",
    "TransformParameters.0.txt": "old",
    "TransformParameters.1.txt": "old",
    "seeds/5/elastix.log": "old",
}
NEW = {RECORD: "new", "TransformParameters.0.txt": "new", "maps/deep/a.mha": "new"}
FOREIGN = {"notes.txt": "mine", "maps/notes.txt": "mine"}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def content(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file() and "work" not in path.relative_to(folder).parts]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in paths}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    target = tmp_path / "target"
    write(target, OLD | FOREIGN)
    write(target / "work", NEW)
    return target / "work", target


def make(work: Path, target: Path) -> None:
    Swap.of(work, target, list(OLD)).make()


def test_the_new_result_is_there_the_old_one_gone_and_what_is_of_others_stays(folders: tuple[Path, Path]) -> None:
    work, target = folders
    make(work, target)
    assert content(target) == NEW | FOREIGN
    assert sorted(path.name for path in target.iterdir()) == sorted(
        [RECORD, "TransformParameters.0.txt", "maps", "notes.txt"]
    )


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_whatever_operation_fails_the_folder_has_the_old_result_or_the_new_one(tmp_path: Path, code: int) -> None:
    for fails in itertools.count(1):
        target = tmp_path / str(fails)
        work = target / "work"
        write(target, OLD | FOREIGN)
        write(work, NEW)
        files = FailingFiles(target, fails, code)
        with pytest.MonkeyPatch.context() as patch:
            files.install(patch)
            try:
                make(work, target)
                refused = False
            except OutputError:
                refused = True
        assert content(target) == (OLD if refused else NEW) | FOREIGN, files.failed
        if refused:
            assert content(work) == NEW, files.failed
        else:
            assert not work.exists(), files.failed
        if not files.failed:
            break
    assert fails > 25


class Killed(BaseException):
    """Nothing runs any more."""


def test_a_kill_in_the_middle_is_visible_and_then_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moves = swap_module._move
    for number in itertools.count(1):
        target = tmp_path / str(number)
        work = target / "work"
        write(target, OLD | FOREIGN)
        write(work, NEW)
        left = number

        def move(source: Path, place: Path) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed
            moves(source, place)

        monkeypatch.setattr(swap_module, "_move", move)
        monkeypatch.setattr(Swap, "_take_back", lambda self: None)
        try:
            make(work, target)
            break
        except Killed:
            monkeypatch.setattr(swap_module, "_move", moves)
        now = content(target)
        assert now in (OLD | FOREIGN, NEW | FOREIGN) or RECORD not in now, "else it would look like a result"
        finish_swap(work, target)
        assert content(target) == NEW | FOREIGN
        assert not work.exists()
    assert number == len(OLD) + len(NEW) + 1


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/passwd", ""])
def test_a_journal_that_leads_outside_is_refused_and_moves_nothing(folders: tuple[Path, Path], name: str) -> None:
    work, target = folders
    (work / JOURNAL).write_text(json.dumps({"new": [RECORD], "old": [name]}))
    with pytest.raises(OutputError, match="names files outside"):
        finish_swap(work, target)
    assert content(target) == OLD | FOREIGN


def test_a_folder_where_a_file_must_go_is_refused_and_all_is_as_it_was(folders: tuple[Path, Path]) -> None:
    work, target = folders
    (target / "maps" / "deep" / "a.mha").mkdir(parents=True)
    with pytest.raises(OutputError, match="can't be written"):
        make(work, target)
    assert content(target) == OLD | FOREIGN
