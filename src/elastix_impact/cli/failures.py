"""Failures as a person reads them: one paragraph on stderr, an exit code, and a traceback only on demand."""

import contextlib
import errno
import signal
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from types import FrameType

from elastix_impact.errors import ElastixImpactError
from elastix_impact.interruption import forget, interrupt
from elastix_impact.io.json_text import write_event

from .watchdog import answered, ending_unanswered

BAD_INPUT = 2
FAILED = 1
OUT_OF_TIME = 3
SIGNAL_BASE = 128

_MEMORY = (
    "not enough memory. Use a coarser ImpactVoxelSize or a smaller ImpactPatchSize, crop the images to the region of "
    "interest, or close other programs."
)


_as_json: ContextVar[bool] = ContextVar("as_json", default=False)
"""Whether stderr gets JSON lines (``--progress json``)."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised like Ctrl-C so that files are left marked as incomplete."""


class TimeLimitReached(KeyboardInterrupt):
    """The time that the caller or the cluster gives is over: raised like Ctrl-C, so that a checkpoint is written."""


@dataclass
class Outcome:
    """The exit code of a command."""

    code: int = 0


@contextlib.contextmanager
def exit_codes(*, debug: bool, bad_input: int = BAD_INPUT) -> Iterator[Outcome]:
    """Run a command: whatever it raises becomes a paragraph on stderr and the code of `Outcome`.

    Parameters
    ----------
    debug
        Whether the traceback is printed too.
    bad_input
        Exit code of errors that the user can mend.
    """
    outcome = Outcome()
    _as_json.set(False)
    forget()
    previous = {
        number: signal.signal(number, handler)
        for number, handler in _HANDLERS.items()
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        with ending_unanswered(_CODES):
            yield outcome
    except SystemExit as end:
        outcome.code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException as error:
        if debug:
            traceback.print_exc()
        text, outcome.code = describe(error, bad_input)
        say(text)
    finally:
        forget()
        for number, handler in previous.items():
            signal.signal(number, handler)


def describe(error: BaseException, bad_input: int = BAD_INPUT) -> tuple[str, int]:
    """The paragraph and the exit code for a failure."""
    if isinstance(error, KeyboardInterrupt):
        return _describe_interrupt(error)
    if isinstance(error, ElastixImpactError):
        text = " ".join([str(error), *getattr(error, "__notes__", ())])
        return text, bad_input if error.exit_code == BAD_INPUT else error.exit_code
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full: {error.filename or error}. Free some space and run again.", bad_input
    if isinstance(error, BrokenPipeError):
        return "the reader of the output has gone.", FAILED
    if isinstance(error, MemoryError) or _is_memory(str(error)):
        return _MEMORY, FAILED
    return (
        f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:500]}. This is a fault of elastix-impact: "
        "run again with --debug and report what it prints.",
        FAILED,
    )


def _describe_interrupt(error: KeyboardInterrupt) -> tuple[str, int]:
    """What stopped the run, and what continues it: whoever kept a checkpoint has noted so."""
    what, code = "interrupted", SIGNAL_BASE + signal.SIGINT
    if isinstance(error, Terminated):
        what, code = "terminated", SIGNAL_BASE + signal.SIGTERM
    if isinstance(error, TimeLimitReached):
        what, code = f"stopped: {str(error)[:1].lower()}{str(error)[1:]}", OUT_OF_TIME
    marked = f"{what}; the files written so far are marked as incomplete."
    return " ".join([marked, *getattr(error, "__notes__", ())]), code


def _is_memory(message: str) -> bool:
    return any(words in message.lower() for words in ("out of memory", "can't allocate memory", "not enough memory"))


def talk_json() -> None:
    """Say everything in JSON lines until the command ends."""
    _as_json.set(True)


def say(text: str) -> None:
    """Print one error paragraph on stderr."""
    _say("error", f"elastix-impact: error: {text}", text)


def say_warning(text: str) -> None:
    """Print one warning line on stderr."""
    _say("warning", f"elastix-impact: warning: {text}", text)


def say_note(text: str) -> None:
    """Print one line on stderr that is no cause for alarm."""
    _say("note", f"elastix-impact: {text}", text)


def say_end(**facts: object) -> None:
    """Say that a run has ended, to programs only."""
    if _as_json.get():
        write_event(sys.stderr, "end", **facts)


def _say(event: str, line: str, text: str) -> None:
    if _as_json.get():
        write_event(sys.stderr, event, message=text)
        return
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _interrupt(number: int, frame: FrameType | None) -> None:
    del frame
    answered(number)
    interrupt(KeyboardInterrupt())


def _terminate(number: int, frame: FrameType | None) -> None:
    del frame
    answered(number)
    interrupt(Terminated())


def _end_soon(number: int, frame: FrameType | None) -> None:
    del frame
    answered(number)
    interrupt(TimeLimitReached("SIGUSR1 said that the time is nearly over"))


_HANDLERS = {
    signal.SIGINT: _interrupt,
    signal.SIGTERM: _terminate,
    **({signal.SIGUSR1: _end_soon} if hasattr(signal, "SIGUSR1") else {}),
}
"""What schedulers send: at the end of a job's time, and, where they are asked to, a while before."""

_CODES = {
    signal.SIGINT: SIGNAL_BASE + signal.SIGINT,
    signal.SIGTERM: SIGNAL_BASE + signal.SIGTERM,
    **{getattr(signal, name): OUT_OF_TIME for name in ("SIGUSR1", "SIGALRM") if hasattr(signal, name)},
}
"""Exit codes by signal, where none of the handlers comes to its turn."""
