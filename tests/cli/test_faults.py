"""Whatever operation on a file fails during a run: the folder has the old result or the new one, and one paragraph says so."""

import errno
import json
from pathlib import Path

import pytest

from elastix_impact.cli.main import main
from elastix_impact.staging.staged import WORK_NAME
from failing_files import FailingFiles
from tiny_case import content, record_in, write_tiny_case

EVERY = 9
"""So many operations lie between two that fail in the quick test; a prime to all that repeats would be as good."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_case(tmp_path_factory.mktemp("case") / "Data")


def run(data: Path, out: Path) -> int:
    words = ["run", "--data", str(data), "--out", str(out), "--quiet", "--threads", "1", "--checkpoint-every", "1e-9"]
    return main(words)


def fail_at(number: int, code: int, data: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> bool:
    """Run into a folder with an older result while an operation fails; whether there are so many."""
    assert run(data, out) == 0
    record = json.loads((out / "registration.json").read_text())
    (out / "registration.json").write_text(json.dumps(record | {"older": True}))
    (out / "TransformParameters.1.txt").write_text("of a second stage")
    (out / "registration.json").write_text(
        json.dumps(record | {"older": True, "files": [*record["files"], "TransformParameters.1.txt"]})
    )
    (out / "notes.txt").write_text("mine")
    before = content(out)
    capsys.readouterr()
    files = FailingFiles(out, number, code)
    with pytest.MonkeyPatch.context() as patch:
        files.install(patch)
        result = run(data, out)
    said, after = capsys.readouterr().err, content(out)
    hidden = [path.name for path in out.rglob(".*")]
    assert "Traceback" not in said, files.failed
    assert "fault of elastix-impact" not in said, files.failed
    assert not hidden, files.failed
    if result == 0:
        assert "older" not in record_in(out), files.failed
        assert set(after) == set(before) - {"TransformParameters.1.txt"}, files.failed
        assert record_in(out)["complete"]
        assert not (out / WORK_NAME).exists(), files.failed
    else:
        assert result == 2, files.failed
        assert after == before, files.failed
        assert len(said.strip().splitlines()) == 1, said
        if (out / WORK_NAME).exists():
            assert str(out / WORK_NAME) in said, files.failed
    return bool(files.failed)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_the_old_result_or_the_new_one(code: int, data: Path, tmp_path: Path, capsys) -> None:
    numbers = iter(range(1 if code == errno.EIO else 5, 10_000, EVERY))
    assert sum(fail_at(number, code, data, tmp_path / str(number), capsys) for number in _until_none(numbers)) > 8


def _until_none(numbers):
    """Numbers, as far as the test asks for them."""
    return numbers
