"""Whether a forecast fits into what is free: a warning where that is doubtful, an error where it is hopeless."""

import warnings
from collections.abc import Mapping

from elastix_impact.errors import InputError
from elastix_impact.io.system_memory import GIB, FreeMemory
from elastix_impact.io.warning import InputWarning

from .forecast import Forecast, Phase

MARGIN = 0.25
"""Share by which a forecast may be wrong: only what would not fit without it is refused."""


def check_fit(forecast: Forecast, room: Mapping[str, FreeMemory]) -> None:
    """Refuse a run that can't fit, before anything long starts.

    Parameters
    ----------
    room
        By device what the process may take in all: what it has, and what is free beside that.

    Raises
    ------
    InputError
        If a phase, less the margin, needs more than there is. It names the settings that would make it fit.

    Warns
    -----
    InputWarning
        If one may need more.
    """
    for device, free in room.items():
        largest = forecast.largest(device)
        if largest is None or largest.bytes <= free.bytes:
            continue
        text = _needs(largest, free)
        if (1 - MARGIN) * largest.bytes > free.bytes:
            raise InputError(
                f"{text}: the run would be ended in its middle",
                where="memory",
                expected=f"at most {free.bytes / GIB:.2f} GiB",
                remedy=f"{largest.remedy}. `elastix-impact check --plan` shows what each phase needs",
            )
        warnings.warn(f"{text}: it may not fit. {largest.remedy}", InputWarning, stacklevel=3)


def _needs(phase: Phase, free: FreeMemory) -> str:
    return (
        f"{phase.name} needs about {phase.bytes / GIB:.2f} GiB of {phase.device}'s memory, and this process can have "
        f"{free.bytes / GIB:.2f} GiB {free.limit}"
    )
