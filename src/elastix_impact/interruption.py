"""Interruptions that a model would swallow.

The handler of a signal raises its exception wherever Python happens to be, also in what PyTorch calls while a model
runs: of an exception in there TorchScript leaves a RuntimeError without a word. So it is kept here, and whoever catches
such an error asks whether another one was meant.
"""

from typing import NoReturn

_kept: list[KeyboardInterrupt] = []


def interrupt(error: KeyboardInterrupt) -> NoReturn:
    """Raise the exception of a signal's handler, and keep it."""
    _kept[:] = [error]
    raise error


def raise_kept() -> None:
    """Raise the exception that is kept, if there is one."""
    if _kept:
        raise _kept[0]


def forget() -> None:
    """Keep nothing any more."""
    _kept.clear()
