"""A table of a page."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Table:
    """Head and rows of words; `faint` holds the numbers of the rows that matter less."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    faint: frozenset[int] = frozenset()
