"""A lock that is a file: it names who holds it, and nobody else gets it while he lives.

The file is created with O_EXCL and says host, process and when that process started, so that a process number that was
given again is not taken for its holder. As long as he lives he also holds the system's own lock on it (flock), which
ends with him however he ends: that alone tells containers of one machine apart, where every process has the number 1
and every host a random name.
"""

import contextlib
import datetime
import json
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, final

from elastix_impact.errors import InputError, OutputError

from .atomic import forget, output_errors

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_SECONDS_BETWEEN_TRIES = 0.02

_Hold = Literal["ours", "another's", "unknown"]
"""Who has the system's lock; unknown where the file system has none."""


@final
@dataclass(frozen=True)
class Holder:
    """A process: where it runs, its number, its start (`began`, in ticks since the machine's), since when it holds."""

    host: str
    boot: str
    namespace: str
    pid: int
    began: str
    since: str

    @staticmethod
    def this() -> "Holder":
        """We, as a holder from now on."""
        since = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        return Holder(platform.node(), _boot(), _namespace(), os.getpid(), _began(os.getpid()), since)

    def lives(self, hold: _Hold) -> bool:
        """Whether it may still be at work; where that can't be known, yes."""
        me = Holder.this()
        if hold == "another's":
            return True
        if self.boot and self.boot == me.boot:
            if hold == "ours":
                return False  # the system that runs both has let it go
            return self.namespace != me.namespace or _began(self.pid) in ("unknown", self.began)
        return self.host != me.host or not self.boot

    def text(self) -> str:
        """Who it is, in words."""
        return f"process {self.pid} on {self.host}, since {self.since}"


class LockedError(InputError):
    """Another process holds the lock."""


class _GoneError(Exception):
    """The file went while it was looked at: its holder has ended."""


@contextlib.contextmanager
def locked(path: Path, what: str, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock `path` inside the block; it is a file that goes at the end.

    Parameters
    ----------
    what
        Begins the error, e.g. ``"another run is at work in this folder"``.
    wait
        Seconds to wait for it.

    Raises
    ------
    LockedError
        If another process holds it; says who, and how to remove the lock of one that is gone.
    OutputError
        If the file can't be written.
    """
    until = time.monotonic() + wait
    while True:
        try:
            with output_errors(path):
                descriptor, holder = _try(path)
        except _GoneError:
            continue
        if descriptor is not None:
            break
        if time.monotonic() >= until:
            raise LockedError(
                f"{what}: {'one that does not say who it is' if holder is None else holder.text()}",
                where=str(path.parent),
                remedy="Wait until it has ended or give another folder; if it is gone for good, with its container or "
                f"its machine, delete {path}",
            )
        time.sleep(_SECONDS_BETWEEN_TRIES)
    try:
        yield
    finally:
        forget(path)
        os.close(descriptor)


def _try(path: Path) -> tuple[int | None, Holder | None]:
    """The open file if it is ours now, else None and who has it."""
    descriptor, made = _opened(path)
    try:
        hold = _hold(descriptor)
        holder = _read(descriptor)
        if not _is_still(descriptor, path):
            raise _GoneError
        if hold == "another's" or (not made and (hold != "ours" if holder is None else holder.lives(hold))):
            os.close(descriptor)
            return None, holder
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, (json.dumps(asdict(Holder.this()), indent=1) + "\n").encode())
        os.fsync(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        if made:
            forget(path)
        raise
    return descriptor, None


def _opened(path: Path) -> tuple[int, bool]:
    """The file, and whether it was made now."""
    try:
        return os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o644), True
    except FileExistsError:
        if path.is_symlink() or path.is_dir():
            raise OutputError(
                "this is where the lock is to be, and it is no plain file", where=str(path), remedy="Remove it"
            ) from None
        try:
            return os.open(path, _FLAGS), False
        except FileNotFoundError:
            raise _GoneError from None


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _hold(descriptor: int) -> _Hold:
    if fcntl is None:
        return "unknown"
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "another's"
    except OSError:
        return "unknown"
    return "ours"


def _read(descriptor: int) -> Holder | None:
    try:
        return Holder(**json.loads(os.pread(descriptor, 1 << 12, 0)))
    except (ValueError, TypeError):
        return None


def _boot() -> str:
    """What is the same for all processes, containers included, that one start of a machine runs; empty if untold."""
    return _text("/proc/sys/kernel/random/boot_id")


def _namespace() -> str:
    """Within which process numbers mean the same."""
    with contextlib.suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return ""


def _began(pid: int) -> str:
    """When a process started, ``"none"`` if there is none, ``"unknown"`` where the system says nothing."""
    if not Path("/proc/self/stat").exists():
        return "unknown"
    after_the_name = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return after_the_name[19] if len(after_the_name) > 19 else "none"


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
