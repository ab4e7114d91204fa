"""Signals that nobody answers: Python hears of one only when the call that it is in returns, which a model may not do.

While a command runs, a thread learns of each signal from the system itself. If the main thread has not answered after
a while, the process ends at once: its folder is left as that of a killed run, with its checkpoint.
"""

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping

GRACE = 8.0
"""Seconds that the main thread has to answer a signal; container engines give ten before they kill."""

_SLACK = 1.0
"""Seconds by which the thread may notice a signal later than the main thread answers it."""

_SECONDS_BETWEEN_LOOKS = 0.25

_answered: dict[int, float] = {}


def answered(number: int) -> None:
    """Say that the main thread has heard a signal; every handler calls it first."""
    _answered[number] = time.monotonic()


@contextlib.contextmanager
def ending_unanswered(codes: Mapping[int, int]) -> Iterator[None]:
    """End the process if a signal is not answered while the block runs; `codes` are the exit codes by signal."""
    if os.name != "posix":
        yield
        return
    read, write = os.pipe()
    os.set_blocking(write, False)
    previous = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    thread = threading.Thread(target=_watch, args=(read, codes), daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        os.close(write)
        thread.join()
        os.close(read)


@contextlib.contextmanager
def ending_after(seconds: float, what: str, code: int) -> Iterator[None]:
    """End the process with `code`, and `what` as error, if the block takes longer: it may never come back."""
    timer = threading.Timer(seconds, _leave, (what, code))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _watch(read: int, codes: Mapping[int, int]) -> None:
    waiting: dict[int, float] = {}
    while True:
        ready, _, _ = select.select([read], [], [], _SECONDS_BETWEEN_LOOKS if waiting else None)
        if ready:
            numbers = os.read(read, 64)
            if not numbers:
                return
            for number in set(numbers) & set(codes):
                waiting.setdefault(number, time.monotonic())
        for number, since in list(waiting.items()):
            if _answered.get(number, -_SLACK) >= since - _SLACK:
                del waiting[number]
            elif time.monotonic() > since + GRACE:
                _end(number, codes[number])


def _end(number: int, code: int) -> None:
    _leave(
        f"ended by {signal.Signals(number).name}: a call did not return within {GRACE:g} s, as in a model that loops "
        "or computes for long; the folder is left as that of a killed run",
        code,
    )


def _leave(what: str, code: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"elastix-impact: error: {what}.\n")
        sys.stderr.flush()
    os._exit(code)
