"""One kind of measure on the page."""

from dataclasses import dataclass
from typing import final

TIMES = {"before": "before (nothing done)", "initial": "before (initial transform)", "after": "after"}


@final
@dataclass(frozen=True)
class Measure:
    """A table, what it means, and a chart (SVG, or empty); `more` are rows that fold away."""

    title: str
    text: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    chart: str = ""
    more: tuple[tuple[str, ...], ...] = ()


def numbers(*values: float | None) -> tuple[str, ...]:
    """Numbers to three decimals, a dash for those that do not exist."""
    return tuple("–" if value is None else f"{value:.3f}" for value in values)
