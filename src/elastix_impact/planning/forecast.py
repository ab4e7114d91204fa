"""A forecast: the phases of a run, in order, with their peaks of memory and their seconds."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

from elastix_impact.io.system_memory import GIB


@final
@dataclass(frozen=True)
class Phase:
    """One phase of a run.

    Attributes
    ----------
    name
        What happens, e.g. ``"stage 2, level 1: loop"``.
    device
        Whose memory `bytes` are: ``"cpu"`` (the whole process) or a GPU's name.
    bytes
        Peak of that memory while it lasts.
    seconds
        How long it lasts, about.
    remedy
        The settings that make it smaller, in the imperative.
    """

    name: str
    device: str
    bytes: int
    seconds: float
    remedy: str


@final
@dataclass(frozen=True)
class Forecast:
    """All phases, and sentences about what is not foreseen, or done in another way because memory is short."""

    phases: tuple[Phase, ...]
    notes: tuple[str, ...] = ()

    def largest(self, device: str = "cpu") -> Phase | None:
        """The phase with the highest peak on a device; None if there is none."""
        return max((one for one in self.phases if one.device == device), key=lambda one: one.bytes, default=None)

    @property
    def devices(self) -> tuple[str, ...]:
        """Whose memory is needed."""
        return tuple(dict.fromkeys(one.device for one in self.phases))

    @property
    def seconds(self) -> float:
        """Of all phases."""
        return sum(one.seconds for one in self.phases)

    def to_json(self) -> dict[str, Any]:
        """Peaks in bytes and seconds, per phase and in all."""
        peaks = {device: max(one.bytes for one in self.phases if one.device == device) for device in self.devices}
        rows = [{k: v for k, v in asdict(one).items() if k != "remedy"} for one in self.phases]
        return {"peak_bytes": peaks, "seconds": self.seconds, "phases": rows, "notes": list(self.notes)}

    def to_text(self) -> str:
        """A table, without the last line end."""
        rows = [("phase", "memory of", "peak GiB", "about s")]
        rows += [(one.name, one.device, f"{one.bytes / GIB:.2f}", f"{one.seconds:.1f}") for one in self.phases]
        for device in self.devices:
            found = self.largest(device)
            rows.append(("peak", device, f"{found.bytes / GIB:.2f}" if found else "", ""))
        rows.append(("in all", "", "", f"{self.seconds:.0f}"))
        return "\n".join([*_aligned(rows), *(f"note: {one}" for one in self.notes)])


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:2], widths)),
                   *(cell.rjust(width) for cell, width in zip(row[2:], widths[2:]))]).rstrip()
        for row in rows
    ]  # fmt: skip
