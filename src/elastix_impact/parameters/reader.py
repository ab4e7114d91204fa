"""Typed values out of a raw map, with elastix's rules for lists; faults are collected, not raised."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, final

from .entry import Kind, Parameter
from .names import LABELLED, parameter_of
from .problems import Problem, Severity, did_you_mean
from .raw import RawParameterMap

T = TypeVar("T")


@final
@dataclass(frozen=True, slots=True)
class EffectiveValue:
    """A value that resolution used.

    Attributes
    ----------
    name
        The parameter, IMPACT's with the number of the level that it is for.
    values
        As text; one per level (or axis, model, layer) that was asked for.
    origin
        ``file:line``, or ``"default"``.
    """

    name: str
    values: tuple[str, ...]
    origin: str


@final
class Reader:
    """Reads one raw map, notes faults in `problems`, and remembers what it read.

    `foreign` holds the components that elastix knows and that do not run natively, where the map can be handed on.

    A list that is too short falls back to its first value, as in elastix. A name with a component's label before it,
    e.g. ``Optimizer0MaximumNumberOfIterations``, goes before the plain name. Where a value is at fault the default, or
    a harmless value, is returned, so that reading goes on.
    """

    def __init__(self, raw: RawParameterMap) -> None:
        self.raw = raw
        self.problems: list[Problem] = []
        self.used: set[str] = set()
        self.foreign: list[str] = []
        self._read_values: dict[str, dict[int, tuple[str, str]]] = {}
        self._number = 0
        self._labelled: dict[tuple[int, str], list[str]] = {}
        for written in raw.entries:
            if parameter_of(written)[0] and (match := LABELLED.fullmatch(written)):
                key = int(match["number"]), match["name"]
                self._labelled.setdefault(key, []).append(written)

    @contextmanager
    def component(self, number: int) -> Generator[None]:
        """Read labels with this number inside the block: those of the second metric and its sampler have number 1."""
        before, self._number = self._number, number
        try:
            yield
        finally:
            self._number = before

    def note(self, severity: Severity, parameter: str, message: str, remedy: str = "") -> None:
        """Remember a problem with a parameter at its line, once."""
        problem = Problem(severity, self.raw.source, self.raw.line(parameter), parameter, message, remedy)
        if problem not in self.problems:
            self.problems.append(problem)

    def is_faulty(self, name: str) -> bool:
        """Whether an error was noted for the parameter."""
        written = self.written_name(name)
        return any(problem.severity == "error" and problem.parameter == written for problem in self.problems)

    def has(self, name: str) -> bool:
        """Whether the map gives the parameter, under its name, an alias, or with a label."""
        return self._written_name(name) is not None

    def text(self, name: str, index: int = 0) -> str:
        """The value at `index` (a level, mostly), or the first, or the catalogue's default."""
        return self._read(name, index, str)

    def boolean(self, name: str, index: int = 0, default: bool | None = None) -> bool:
        """As `text`, for ``"true"`` and ``"false"``; `default` goes before the catalogue's."""
        return self._read(name, index, as_boolean, default)

    def integer(self, name: str, index: int = 0, default: int | None = None) -> int:
        """As `text`, for whole numbers; `default` goes before the catalogue's."""
        return self._read(name, index, as_integer, default)

    def number(self, name: str, index: int = 0, default: float | None = None) -> float:
        """As `text`, for finite numbers; `default` goes before the catalogue's."""
        return self._read(name, index, as_number, default)

    def numbers(self, name: str) -> tuple[float, ...]:
        """All values as numbers, none if the parameter is absent."""
        return tuple(self._read(name, i, as_number) for i in range(self.count(name)))

    def integers(self, name: str) -> tuple[int, ...]:
        """All values as whole numbers, none if the parameter is absent."""
        return tuple(self._read(name, i, as_integer) for i in range(self.count(name)))

    def texts(self, name: str) -> tuple[str, ...]:
        """All values, none if the parameter is absent."""
        return tuple(self._read(name, i, str) for i in range(self.count(name)))

    def count(self, name: str) -> int:
        """How many values the map gives, 0 if the parameter is absent."""
        written = self._written_name(name)
        return len(self.raw.values(written)) if written else 0

    def written_name(self, name: str) -> str:
        """The name under which the map gives the parameter: its own, an alias, or with a label."""
        return self._written_name(name) or name

    def effective(self) -> tuple[EffectiveValue, ...]:
        """Everything that was read, in the order of reading."""
        found: list[EffectiveValue] = []
        for name, by_index in self._read_values.items():
            values = tuple(text for _, (text, _) in sorted(by_index.items()))
            found.append(EffectiveValue(name, values, by_index[min(by_index)][1]))
        return tuple(found)

    def _written_name(self, name: str) -> str | None:
        parameter, suffix = parameter_of(name)
        aliases = tuple(alias + suffix for alias in parameter.aliases) if parameter else ()
        if parameter and suffix == "0":
            aliases += parameter.aliases
        labelled = self._labelled.get((self._number, name), [])
        fitting = [written for written in labelled if parameter and _is_label_of(written, parameter)]
        candidates = (*fitting, name, *aliases)
        found = next((candidate for candidate in candidates if candidate in self.raw), None)
        if found:
            self.used.add(found)
        return found

    def _read(self, name: str, index: int, convert: Callable[[str], T | None], default: T | None = None) -> T:
        parameter, _ = parameter_of(name)
        assert parameter is not None, name
        written = self._written_name(name)
        if written is not None:
            values = self.raw.values(written)
            text = values[index] if index < len(values) else values[0]
            value = convert(text)
            if value is None:
                self.note(
                    "error", written, f"{text!r} is not a {KIND_WORDS[parameter.kind]}", _example(written, parameter)
                )
            elif self._allowed(written, parameter, text):
                self._remember(name, index, text, f"{self.raw.source}:{self.raw.line(written)}")
                return value
        if default is None:
            default = convert(parameter.default if parameter.default is not None else _HARMLESS[parameter.kind])
        assert default is not None, name
        self._remember(name, index, str(default).lower() if isinstance(default, bool) else str(default), "default")
        return default

    def _remember(self, name: str, index: int, text: str, origin: str) -> None:
        self._read_values.setdefault(name, {})[index] = (text, origin)

    def _allowed(self, written: str, parameter: Parameter, text: str) -> bool:
        if parameter.allowed and text not in parameter.allowed:
            near = did_you_mean(text, parameter.allowed)
            words = "Possible: " + ", ".join(one or '""' for one in parameter.allowed)
            self.note(
                "error", written, f'"{text}" is not possible', f'Did you mean "{near}"? {words}' if near else words
            )
            return False
        number = as_number(text) if parameter.kind in ("int", "float") else None
        if number is not None and parameter.minimum is not None and number < parameter.minimum:
            self.note("error", written, f"{text} is too small", f"Give at least {parameter.minimum:g}")
            return False
        if number is not None and parameter.above is not None and number <= parameter.above:
            self.note("error", written, f"{text} is too small", f"Give a number above {parameter.above:g}")
            return False
        largest = _LARGEST_INTEGER if parameter.kind == "int" else _LARGEST_NUMBER
        if number is not None and abs(number) > largest:
            self.note("error", written, f"{text} is too large", f"Give a number between -{largest:g} and {largest:g}")
            return False
        return True


_LARGEST_NUMBER = 3e38
"""Images and features are float32, which holds nothing larger."""
_LARGEST_INTEGER = 2**53
"""Up to here every whole number is one of Python's floats, by which texts are read."""

_LABELS = {
    "Metric": "Metric", "ImageSampler": "ImageSampler", "Interpolator": "Interpolator", "Optimizer": "Optimizer",
    "ResampleInterpolator": "ResampleInterpolator", "Resampler": "Resampler",
}  # fmt: skip
"""Labels of components, by the component that the catalogue names; others may have any label."""


def _is_label_of(written: str, parameter: Parameter) -> bool:
    """Whether the label before a name is that of the component which reads the parameter."""
    label = _LABELS.get(parameter.component)
    return label is None or re.match(rf"{label}\d", written) is not None


KIND_WORDS: dict[Kind, str] = {
    "bool": 'truth value, "true" or "false"',
    "int": "whole number",
    "float": "number",
    "text": "text",
}
_HARMLESS: dict[Kind, str] = {"bool": "false", "int": "1", "float": "1", "text": ""}


def _example(written: str, parameter: Parameter) -> str:
    default = parameter.default or _HARMLESS[parameter.kind]
    value = f'"{default}"' if parameter.kind in ("bool", "text") else default
    return f"Write for example ({written} {value})"


def as_boolean(text: str) -> bool | None:
    """The truth value, None if it is none."""
    return {"true": True, "false": False}.get(text)


def as_integer(text: str) -> int | None:
    """The whole number, None if it is none; ``"2.0"`` is one, as in elastix."""
    number = as_number(text)
    return int(number) if number is not None and number.is_integer() else None


def as_number(text: str) -> float | None:
    """The finite number in ASCII digits, None if it is none."""
    if "_" in text or not text.isascii():
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
