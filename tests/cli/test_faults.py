"""Whatever operation on a file fails in a run: the folder has the old result or the new one; a paragraph says so."""

import errno
import itertools
import json
import shutil
from pathlib import Path

import pytest

from elastix_impact.cli.main import main
from elastix_impact.staging.staged import WORK_NAME
from failing_files import FailingFiles
from tiny_case import content, record_in, write_tiny_case

GOES, STAYS = "TransformParameters.1.txt", "notes.txt"
EVERY = 11
"""So far apart lie the operations that fail in the quick test."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_case(tmp_path_factory.mktemp("case") / "Data")


@pytest.fixture(scope="module")
def older(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an older result, which had two stages, and a file of somebody's."""
    out = tmp_path_factory.mktemp("older")
    assert run(data, out) == 0
    record = record_in(out)
    for name in (GOES, STAYS):
        (out / name).write_text(name)
    (out / "registration.json").write_text(json.dumps(record | {"older": True, "files": [*record["files"], GOES]}))
    return out


def run(data: Path, out: Path) -> int:
    words = ["run", "--data", str(data), "--out", str(out), "--quiet", "--threads", "1", "--checkpoint-every", "1e-9"]
    return main(words)


def fails_at(number: int, code: int, data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> bool:
    """Run into the folder while an operation fails; whether there are so many."""
    before = content(out)
    files = FailingFiles(out, number, code)
    with pytest.MonkeyPatch.context() as patch:
        files.install(patch)
        result = run(data, out)
    said, after = capsys.readouterr().err, content(out)
    assert "Traceback" not in said, files.failed
    assert "fault of elastix-impact" not in said, files.failed
    assert not list(out.rglob(".*")), files.failed
    if result == 0:
        assert "older" not in record_in(out), files.failed
        assert record_in(out)["complete"], files.failed
        assert set(after) == set(before) - {GOES}, files.failed
        assert not (out / WORK_NAME).exists(), files.failed
    else:
        assert result == 2, files.failed
        assert after == before, files.failed
        assert len(said.strip().splitlines()) == 1, said
        assert str(out / WORK_NAME) in said or not (out / WORK_NAME).exists(), files.failed
    return bool(files.failed)


def look(first: int, step: int, code: int, data: Path, older: Path, folder: Path, capsys) -> int:
    """Let every `step`th operation fail, each in a run of its own; how many there were."""
    for count, number in enumerate(itertools.count(first, step)):
        out = folder / str(number)
        shutil.copytree(older, out)
        if not fails_at(number, code, data, out, capsys):
            return count
    raise AssertionError


@pytest.mark.parametrize(("first", "code"), [(1, errno.ENOSPC), (9, errno.EIO)])
def test_the_old_result_or_the_new_one(first: int, code: int, data: Path, older: Path, tmp_path: Path, capsys) -> None:
    assert look(first, EVERY, code, data, older, tmp_path, capsys) > 4


@pytest.mark.slow
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_at_every_operation(code: int, data: Path, older: Path, tmp_path: Path, capsys) -> None:
    assert look(1, 1, code, data, older, tmp_path, capsys) > 100


def test_where_nothing_was_there_is_nothing_or_a_run_that_says_that_it_failed(
    data: Path, tmp_path: Path, capsys
) -> None:
    for number in itertools.count(3, 2 * EVERY):
        out = tmp_path / str(number)
        out.mkdir()
        files = FailingFiles(out, number, errno.ENOSPC)
        with pytest.MonkeyPatch.context() as patch:
            files.install(patch)
            result = run(data, out)
        names = set(content(out))
        if result:
            assert not names or not record_in(out)["complete"], files.failed
        else:
            assert record_in(out)["complete"]
        if not files.failed:
            return
