"""A lock is one process's at a time, and goes with it."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from elastix_impact.errors import InputError, OutputError
from elastix_impact.io import locking
from elastix_impact.io.locking import Holder, LockedError, locked

HOLD = """
import sys, time
from pathlib import Path
from elastix_impact.io.locking import locked
with locked(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    time.sleep(100)
"""


def holding(path: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def refused(path: Path) -> str:
    with pytest.raises(LockedError) as caught, locked(path, "busy"):
        pass
    return str(caught.value)


def test_the_file_says_who_holds_it_and_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path, "busy"):
        said = json.loads(path.read_text())
        assert (said["pid"], said["began"]) == (os.getpid(), locking._began(os.getpid()))
        assert f"process {os.getpid()} on {said['host']}, since {said['since']}" in refused(path)
        assert f"delete {path}" in refused(path)
    assert not path.exists()
    assert issubclass(LockedError, InputError), "which ends with exit code 2"


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_another_process_is_refused_until_the_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holding(path) as process:
        try:
            assert f"process {process.pid} on" in refused(path)
        finally:
            process.send_signal(signal.SIGKILL)
    assert path.exists(), "a kill leaves it"
    with locked(path, "busy"):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_one_waits_as_long_as_he_likes(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path, "busy"):
        began = time.monotonic()
        with pytest.raises(LockedError), locked(path, "busy", wait=0.2):
            pass
        assert time.monotonic() - began >= 0.2


ME = Holder.this()
GONE = 2**22 + 1
"""No process has this number."""

LEFT = {
    "a container of this machine, its process 1 gone": (replace(ME, host="f00", namespace="pid:[1]", pid=1), True),
    "this machine before it was started anew": (replace(ME, boot="other"), True),
    "another machine": (replace(ME, host="elsewhere", boot="other"), False),
}


@pytest.mark.parametrize("who", LEFT)
def test_a_lock_that_was_left(who: str, tmp_path: Path) -> None:
    holder, is_taken = LEFT[who]
    path = tmp_path / "lock"
    path.write_text(json.dumps(asdict(holder)))
    if is_taken:
        with locked(path, "busy"):
            assert json.loads(path.read_text())["boot"] == ME.boot
    else:
        assert "on elsewhere" in refused(path)
        assert json.loads(path.read_text()) == asdict(holder)


BLIND = {
    "this process": (ME, False),
    "a number that another process was given": (replace(ME, began="1"), True),
    "no such process": (replace(ME, pid=GONE), True),
    "a container of this machine": (replace(ME, namespace="pid:[1]", pid=GONE), False),
}


@pytest.mark.parametrize("who", BLIND)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_where_the_file_system_has_no_locks_the_process_is_looked_for(
    who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "_hold", lambda descriptor: "unknown")
    holder, is_taken = BLIND[who]
    path = tmp_path / "lock"
    path.write_text(json.dumps(asdict(holder)))
    if is_taken:
        with locked(path, "busy"):
            pass
    else:
        assert "busy" in refused(path)


@pytest.mark.parametrize("content", ["", "no lock", '{"pid": 1}'])
def test_a_lock_that_was_being_written_is_nobodys(content: str, tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text(content)
    with locked(path, "busy"):
        pass


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OutputError, match="no plain file"), locked(tmp_path / "lock", "busy"):
        pass
    assert (tmp_path / "precious").read_text() == "precious"
