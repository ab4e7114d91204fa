"""What the record of a run holds of a file that was carried along."""

import dataclasses
from dataclasses import dataclass
from typing import Any, final


@final
@dataclass(frozen=True)
class CarriedFile:
    """Labels or points that were carried from one image to the other, in a file of the run.

    Attributes
    ----------
    what
        ``"moving labels"``, ``"fixed points"`` or ``"moving points"``.
    file, source
        Name of the file in the run's folder, and what it was made from.
    count
        Labels or points in it.
    left_out
        What has no place in the other image: points without an inverse, labels that left the fixed image.
    residual_mm
        Largest distance in mm by which the inverse misses, None where none was needed.
    """

    what: str
    file: str
    source: str
    count: int
    left_out: tuple[str, ...] = ()
    residual_mm: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The parts by name."""
        return dataclasses.asdict(self)

    def to_text(self) -> str:
        """One line."""
        noun = "labels" if self.what.endswith("labels") else "points"
        lost = f", without {', '.join(self.left_out)}" if self.left_out else ""
        missed = "" if self.residual_mm is None else f", residual of the inverse at most {self.residual_mm:.1e} mm"
        return f"{self.file}: {self.count} {noun} of {self.source}{lost}{missed}"
