"""Typed values out of a raw map, with elastix's rules for lists; faults are collected, not raised."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeVar

from .catalog import CATALOG
from .entry import Parameter
from .problems import Problem, Severity, did_you_mean
from .raw import RawParameterMap

T = TypeVar("T")
_TRUE, _FALSE = ("true",), ("false",)


class Reader:
    """Reads one raw map and remembers which names were asked for.

    A list that is too short falls back to its first value, as in elastix. Where a value is at fault the fault is
    noted in `problems` and a harmless value is returned, so that reading goes on.
    """

    def __init__(self, raw: RawParameterMap) -> None:
        self.raw = raw
        self.problems: list[Problem] = []
        self.used: set[str] = set()

    def note(self, severity: Severity, parameter: str, message: str, remedy: str = "") -> None:
        """Remember a problem with a parameter at its line."""
        line = self.raw.line(parameter)
        self.problems.append(Problem(severity, self.raw.source, line, parameter, message, remedy))

    def has(self, name: str) -> bool:
        """Whether the map gives the parameter, under its name or an alias."""
        return self._written_name(name) is not None

    def text(self, name: str, index: int = 0) -> str:
        """The value at `index` (a level, mostly), or the first, or the catalogue's default."""
        return self._read(name, index, lambda text: text)

    def boolean(self, name: str, index: int = 0) -> bool:
        """As `text`, for ``"true"`` and ``"false"``."""
        return self._read(name, index, _boolean)

    def integer(self, name: str, index: int = 0) -> int:
        """As `text`, for whole numbers."""
        return self._read(name, index, _integer)

    def number(self, name: str, index: int = 0) -> float:
        """As `text`, for finite numbers."""
        return self._read(name, index, _number)

    def numbers(self, name: str) -> tuple[float, ...]:
        """All values as numbers, none if the parameter is absent."""
        return tuple(self._read(name, i, _number) for i in range(self.count(name)))

    def integers(self, name: str) -> tuple[int, ...]:
        """All values as whole numbers, none if the parameter is absent."""
        return tuple(self._read(name, i, _integer) for i in range(self.count(name)))

    def texts(self, name: str) -> tuple[str, ...]:
        """All values, none if the parameter is absent."""
        return tuple(self._read(name, i, lambda text: text) for i in range(self.count(name)))

    def count(self, name: str) -> int:
        """How many values the map gives, 0 if the parameter is absent."""
        written = self._written_name(name)
        return len(self.raw.values(written)) if written else 0

    def written_name(self, name: str) -> str:
        """The name under which the map gives the parameter: its own, or the alias used."""
        return self._written_name(name) or name

    def _written_name(self, name: str) -> str | None:
        parameter, suffix = parameter_of(name)
        candidates = (name, *(alias + suffix for alias in parameter.aliases)) if parameter else (name,)
        found = next((candidate for candidate in candidates if candidate in self.raw), None)
        if found:
            self.used.add(found)
        return found

    def _read(self, name: str, index: int, convert: Callable[[str], T | None]) -> T:
        parameter, _ = parameter_of(name)
        assert parameter is not None, name
        written = self._written_name(name)
        if written is not None:
            values = self.raw.values(written)
            text = values[index] if index < len(values) else values[0]
            value = convert(text)
            if value is not None and self._allowed(written, parameter, text, value):
                return value
            if value is None:
                self.note("error", written, f"{text!r} is no {_KIND_WORDS[parameter.kind]}", _example(parameter))
        fallback = convert(parameter.default if parameter.default is not None else _HARMLESS[parameter.kind])
        assert fallback is not None, name
        return fallback

    def _allowed(self, written: str, parameter: Parameter, text: str, value: object) -> bool:
        if parameter.allowed and text not in parameter.allowed:
            near = did_you_mean(text, parameter.allowed)
            remedy = f'Did you mean "{near}"?' if near else "Use one of these: " + ", ".join(parameter.allowed)
            self.note("error", written, f'"{text}" is not possible', remedy)
            return False
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if parameter.minimum is not None and value < parameter.minimum:
                self.note("error", written, f"{text} is too small", f"Give at least {parameter.minimum:g}")
                return False
            if parameter.above is not None and value <= parameter.above:
                self.note("error", written, f"{text} is too small", f"Give more than {parameter.above:g}")
                return False
        return True


def parameter_of(name: str) -> tuple[Parameter | None, str]:
    """The catalogue's entry of a name, and the number that it ends in (``""`` if none belongs to it)."""
    if name in CATALOG:
        return CATALOG[name], ""
    stem = name.rstrip("0123456789")
    entry = CATALOG.get(stem)
    if entry is not None and stem != name and entry.indexing in ("impact model", "impact layer", "metric"):
        return entry, name[len(stem) :]
    return None, ""


_KIND_WORDS: dict[str, str] = {"bool": 'truth value ("true" or "false")', "int": "whole number", "float": "number", "text": "text"}
_HARMLESS: dict[Literal["bool", "int", "float", "text"], str] = {"bool": "false", "int": "1", "float": "1", "text": ""}


def _example(parameter: Parameter) -> str:
    default = parameter.default if parameter.default is not None else _HARMLESS[parameter.kind]
    written = f'"{default}"' if parameter.kind in ("bool", "text") else default
    return f"Write for example ({parameter.name} {written})"


def _boolean(text: str) -> bool | None:
    return True if text in _TRUE else False if text in _FALSE else None


def _integer(text: str) -> int | None:
    number = _number(text)
    return int(number) if number is not None and number.is_integer() else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
