"""How much of its time a process waited for a processor: seconds measured on a busy machine say little."""

from pathlib import Path
from typing import final

BUSY = 0.2
"""The part of its time that a process waits for processors from which on its machine is called busy."""

_SCHEDULER = Path("/proc/self/schedstat")
"""Linux: nanoseconds that the main thread ran, and those that it could have run and had to wait."""


@final
class ProcessorClock:
    """Looks from when it is made; says nothing where the system doesn't tell."""

    def __init__(self, scheduler: Path = _SCHEDULER) -> None:
        self._scheduler = scheduler
        self._began = self._read()

    def waited(self) -> float | None:
        """The part, 0 to 1, of the time in which it could have run that the main thread waited for a processor."""
        now = self._read()
        if self._began is None or now is None:
            return None
        ran, waited = (later - sooner for sooner, later in zip(self._began, now))
        return waited / max(ran + waited, 1)

    def remark(self) -> str:
        """A sentence if the machine was busy, else ""."""
        waited = self.waited()
        if waited is None or waited < BUSY:
            return ""
        return f"The machine was busy: {waited:.0%} of the time was spent waiting for a processor."

    def _read(self) -> tuple[int, int] | None:
        try:
            ran, waited, *_ = self._scheduler.read_text(encoding="ascii").split()
            return int(ran), int(waited)
        except (OSError, ValueError):
            return None
