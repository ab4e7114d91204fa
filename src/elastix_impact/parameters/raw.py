"""A parameter map as it was written: names, values as text, and where each stood."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import final

from .problems import Problem

Value = str | float | int | bool
"""One value of a parameter."""

UNDECODED = re.compile("[\udc80-\udcff]")
"""What the decoder puts in place of bytes that are not UTF-8. Comments may hold any."""


@final
@dataclass(frozen=True, slots=True)
class RawEntry:
    """One parameter: its values as text, quotes removed, and its line (1-based; 0 = not from a text file)."""

    name: str
    values: tuple[str, ...]
    line: int


@final
@dataclass(frozen=True, slots=True)
class RawParameterMap:
    """All parameters of one file.

    Attributes
    ----------
    source
        The file, as messages name it.
    entries
        By name, in the file's order; of a name given twice the first.
    faults
        Lines that could not be read; `resolve` reports them with everything else.
    """

    source: str
    entries: Mapping[str, RawEntry]
    faults: tuple[Problem, ...] = ()

    @staticmethod
    def of(source: str, entries: list[RawEntry], faults: Sequence[Problem] = ()) -> RawParameterMap:
        """The map of these entries, whose names differ."""
        return RawParameterMap(source, MappingProxyType({entry.name: entry for entry in entries}), tuple(faults))

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def values(self, name: str) -> tuple[str, ...]:
        """The values of a parameter, none if it is absent."""
        entry = self.entries.get(name)
        return entry.values if entry else ()

    def line(self, name: str) -> int:
        """The line of a parameter, 0 if it is absent."""
        entry = self.entries.get(name)
        return entry.line if entry else 0

    @property
    def is_transform_file(self) -> bool:
        """Whether this is a transform (what elastix writes) rather than a map of settings."""
        return "TransformParameters" in self or "NumberOfParameters" in self
