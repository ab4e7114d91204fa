"""A folder for another program's files, which goes with the program if this process is killed, even by SIGKILL."""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import final

_PROCESS = Path(__file__).with_name("janitor_process.py")


@final
class ClearedFolder:
    """An existing folder, and the process that waits for our end.

    Attributes
    ----------
    path
        The folder, absolute.
    """

    def __init__(self, path: Path, janitor: "subprocess.Popen[str]") -> None:
        self.path, self._janitor = path, janitor
        self._say(str(path))

    @contextlib.contextmanager
    def worked_in_by(self, process: int) -> Iterator[None]:
        """Inside the block, the process of this number ends too if ours is killed."""
        self._say(process)
        try:
            yield
        finally:
            self._say(0)

    def close(self) -> None:
        """Remove the folder, and end the waiting."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._say(None)
        with contextlib.suppress(OSError):
            self._janitor.communicate()

    def _say(self, what: "str | int | None") -> None:
        assert self._janitor.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # a janitor that is gone is missed by nobody but after a kill
            self._janitor.stdin.write(json.dumps(what) + "\n")
            self._janitor.stdin.flush()


@contextlib.contextmanager
def cleared_folder(parent: Path, prefix: str) -> Iterator[ClearedFolder]:
    """A new folder in `parent` that goes at the end of the block, and after a kill of this process."""
    command = [sys.executable, "-I", "-S", str(_PROCESS)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, text=True, start_new_session=True
    ) as janitor:
        folder = ClearedFolder(Path(tempfile.mkdtemp(prefix=prefix, dir=parent)).absolute(), janitor)
        try:
            yield folder
        finally:
            folder.close()
