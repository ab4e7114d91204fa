"""Processes that this package starts: they find code where this one does, never in a data folder, and end with it."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping

PARENT = "ELASTIX_IMPACT_PARENT_PROCESS"
"""Environment variable of such a process: the number of the one that started it."""

NEUTRAL_FOLDER = os.path.abspath(os.sep)
"""Where it starts: no data folder, and none that others than the administrator write to."""

_PDEATHSIG = 1
_SECONDS_BETWEEN_LOOKS = 0.5


def python_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this package; -P keeps its working folder out of its search path."""
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for such a process.

    Empty and relative entries of PYTHONPATH name whatever folder a process is in: the former are left out, the latter
    stay where they are for this one.
    """
    entries = [os.path.abspath(one) for one in environment.get("PYTHONPATH", "").split(os.pathsep) if one]
    changed = {**environment, PARENT: str(os.getpid())}
    changed.pop("PYTHONPATH", None)
    return changed | ({"PYTHONPATH": os.pathsep.join(entries)} if entries else {})


def end_with_parent() -> None:
    """Called first in such a process: it ends when the one that started it has ended, however that came about."""
    parent = int(os.environ.get(PARENT, os.getppid()))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)
