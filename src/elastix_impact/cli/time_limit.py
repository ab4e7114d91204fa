"""`--time-limit`: a run that ends by itself before the cluster ends it."""

import argparse
import contextlib
import re
import signal
from collections.abc import Iterator
from types import FrameType

from elastix_impact.errors import InputError
from elastix_impact.interruption import interrupt

from .failures import TimeLimitReached
from .watchdog import answered

_UNITS = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
_CLOCK = re.compile(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)")


def duration(text: str) -> int:
    """Seconds that a duration means, for argparse: ``90``, ``90s``, ``55m``, ``1h30m``, ``2d``, ``1-12:00:00``."""
    match = _CLOCK.fullmatch(text) or _UNITS.fullmatch(text)
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total <= 0:
        raise argparse.ArgumentTypeError(f"needs a time above 0 such as 55m, 1h30m, 3600 or 01:30:00, got {text!r}")
    return total


@contextlib.contextmanager
def time_limit(seconds: int | None) -> Iterator[None]:
    """Raise TimeLimitReached inside the block when the time is over; None = no limit.

    Raises
    ------
    InputError
        Where the system has no alarm clock (Windows).
    """
    if seconds is None:
        yield
        return
    if not hasattr(signal, "setitimer"):
        raise InputError("--time-limit does not work on this system, which has no alarm signal", where="command line")

    def ring(number: int, frame: FrameType | None) -> None:
        del frame
        answered(number)
        interrupt(TimeLimitReached(f"The time limit of {seconds} s was reached"))

    previous = signal.signal(signal.SIGALRM, ring)
    earlier = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *earlier)
        signal.signal(signal.SIGALRM, previous)
