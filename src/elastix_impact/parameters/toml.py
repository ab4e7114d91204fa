"""The TOML form of parameter maps: ``Name = value`` or ``Name = [values]``."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from .problems import Problem, raise_if_errors
from .raw import UNDECODED, RawEntry, RawParameterMap, Value

_PLACE = re.compile(r" \(at line (\d+), column \d+\)$")


def parse_parameter_toml(text: str, source: str) -> RawParameterMap:
    """The parameter map in a TOML text.

    Raises
    ------
    ParameterMapError
        If it is not TOML (duplicates included), or holds tables.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        message = f"not valid TOML: {_PLACE.sub('', str(error))}"
        raise_if_errors([Problem("error", source, int(place[1]) if place else 0, "", message, "Write Name = value")])
        raise
    problems: list[Problem] = []
    entries: list[RawEntry] = []
    lines = text.splitlines()
    for name, value in document.items():
        number = next((k for k, line in enumerate(lines, 1) if line.split("=")[0].strip().strip('"') == name), 0)
        values = _as_text(value)
        if not values:
            message = "needs a number, a text, true or false, or a list of them"
            problems.append(Problem("error", source, number, name, message, f"Write {name} = value"))
        elif any(UNDECODED.search(text) for text in values):
            message = "the value holds characters that are not UTF-8"
            problems.append(Problem("error", source, number, name, message, "Save the file as UTF-8"))
        else:
            entries.append(RawEntry(name, values, number))
    return RawParameterMap.of(source, entries, problems)


def _as_text(value: Any) -> tuple[str, ...]:
    """The values as the text form would have them; empty if they can't be."""
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    if not all(isinstance(item, (str, bool, int, float)) for item in items):
        return ()
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in items)


def write_parameter_toml(parameters: Mapping[str, Sequence[Value]]) -> str:
    """The TOML form: a single value as such, several as a list."""
    lines: list[str] = []
    for name, values in parameters.items():
        written = [_written(value) for value in values]
        lines.append(f"{name} = {written[0] if len(written) == 1 else '[ ' + ', '.join(written) + ' ]'}")
    return "\n".join(lines) + "\n"


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
