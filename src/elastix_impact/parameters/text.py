"""elastix's text form of parameter maps: ``(Name value "value" ...)``, one per line, ``//`` comments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from elastix_impact.errors import InputError

from .problems import Problem, raise_if_errors
from .raw import UNDECODED, RawEntry, RawParameterMap, Value
from .toml import parse_parameter_toml

MAP_BEGINS = re.compile(r"// ---- \S+\.txt")
"""A line that begins a map in a file of several, as `presets show` prints them."""

_LINE_END = re.compile(r"\r\n|\n|\r")
_NAME = re.compile(r"[A-Za-z_][\w-]*")
_BEFORE_COMMENT = re.compile(r'(?:[^"/]+|"[^"]*(?:"|\Z)|/(?!/))*+')
_TOKEN = re.compile(r'\s*(?:"([^"]*)"|([^\s"()]+))')


def read_parameter_map(path: Path) -> RawParameterMap:
    """The parameter map in a text or TOML file (by its suffix).

    Raises
    ------
    InputError
        If the file can't be read.
    ParameterMapError
        If it is no parameter map at all. Faulty lines are in the map's `faults`.
    """
    return _parsed(_read(path), path)


def read_parameter_maps(path: Path) -> tuple[RawParameterMap, ...]:
    """The maps in a file, in order: one, or several if its first line and others are as `MAP_BEGINS` says.

    Raises as `read_parameter_map`.
    """
    text = _read(path)
    lines, starts = _chain(text)
    if len(starts) == 1:
        return (_parsed(text, path),)
    return tuple(
        parse_parameter_text("\n".join(lines[start:end]), str(path), first_line=start + 1)
        for start, end in zip(starts, [*starts[1:], len(lines)])
    )


def count_parameter_maps(path: Path) -> int:
    """How many maps `read_parameter_maps` finds in a file; InputError if it can't be read."""
    return len(_chain(_read(path))[1])


def _parsed(text: str, path: Path) -> RawParameterMap:
    """The one map in the text of a file."""
    if Path(path).suffix.lower() == ".toml":
        return parse_parameter_toml(text, str(path))
    return parse_parameter_text(text, str(path))


def _chain(text: str) -> tuple[list[str], list[int]]:
    """The lines of a text, and where maps begin among them."""
    lines = _LINE_END.split(text)
    starts = [number for number, line in enumerate(lines) if MAP_BEGINS.fullmatch(line.rstrip())]
    return lines, starts if starts[:1] == [0] else [0]


def _read(path: Path) -> str:
    """The text of a file."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig", errors="surrogateescape")
    except FileNotFoundError as error:
        raise InputError("no such parameter map", where=str(path), remedy="Check the path") from error
    except OSError as error:
        raise InputError(f"the parameter map can't be read: {error.strerror}", where=str(path)) from error
    if "\0" in text:
        raise InputError("the file is not text", where=str(path), expected="a parameter map (.txt or .toml)")
    return text


def parse_parameter_text(text: str, source: str, *, first_line: int = 1) -> RawParameterMap:
    """The parameter map in a text.

    Parameters
    ----------
    text
        Lines end in LF, CR LF or CR; tabs are spaces.
    source
        What messages call the file.
    first_line
        Number of the text's first line in that file.

    Returns
    -------
    RawParameterMap
        Its `faults` name every line with unbalanced parentheses or quotes, without name or value, with text outside
        of parentheses or that is not UTF-8, or with a parameter that was given before.

    Raises
    ------
    ParameterMapError
        If no line has a parenthesis: that is no map.
    """
    contents = [_without_comment(line).strip() for line in _LINE_END.split(text)]
    if any(contents) and not any(content.startswith("(") for content in contents):
        message, remedy = "not a parameter map: no line has the form (Name value)", "Give an elastix parameter map"
        raise_if_errors([Problem("error", source, 0, "", message, remedy)])
    entries: dict[str, RawEntry] = {}
    problems: list[Problem] = []
    for number, content in enumerate(contents, start=first_line):
        if not content:
            continue
        parsed = _parse_line(content, source, number)
        if isinstance(parsed, Problem):
            problems.append(parsed)
        elif parsed.name in entries:
            first = entries[parsed.name].line
            problems.append(
                Problem(
                    "error", source, number, parsed.name, f"given twice, first in line {first}", "Delete one of them"
                )
            )
        else:
            entries[parsed.name] = parsed
    return RawParameterMap.of(source, list(entries.values()), problems)


def _without_comment(line: str) -> str:
    """The line up to ``//`` outside of quotes."""
    if "//" not in line:
        return line
    match = _BEFORE_COMMENT.match(line)
    assert match is not None
    return match.group()


def _parse_line(content: str, source: str, number: int) -> RawEntry | Problem:
    def fault(message: str, remedy: str, name: str = "") -> Problem:
        return Problem("error", source, number, name, message, remedy)

    if UNDECODED.search(content):
        return fault("the line holds characters that are not UTF-8", "Save the file as UTF-8")
    if not content.startswith("("):
        return fault(
            f"text outside of parentheses: {content[:40]!r}",
            'Write (Name value), or begin the line with "//" to comment it out',
        )
    name_match = _NAME.match(content[1:].lstrip())
    if name_match is None:
        return fault(f"no parameter name after the parenthesis: {content[:40]!r}", "Write (Name value)")
    name = name_match.group()
    if content.count('"') % 2:
        return fault("a quote is not closed", 'Put a " at both ends of each text', name)
    if not content.endswith(")"):
        return fault(
            "the parenthesis is not closed on this line",
            "Write each parameter on a line of its own: (Name value)",
            name,
        )
    body = content[1:].lstrip()[name_match.end() : -1]
    values, rest = _tokens(body)
    if rest.strip():
        return fault(
            f"can't make sense of {rest.strip()[:40]!r}",
            "Write each parameter on a line of its own: (Name value)",
            name,
        )
    if body and not body[0].isspace() and values:
        return fault(f"no space between the name and {body[:20]!r}", "Write (Name value)", name)
    if not values:
        return fault("no value", f"Give a value, or delete the line: ({name} value)", name)
    return RawEntry(name, values, number)


def _tokens(body: str) -> tuple[tuple[str, ...], str]:
    """The values in a line, quotes removed, and what could not be read."""
    if not any(character in body for character in '"()'):  # millions of control points
        return tuple(body.split()), ""
    values: list[str] = []
    position = 0
    while match := _TOKEN.match(body, position):
        values.append(match.group(1) if match.group(1) is not None else match.group(2))
        position = match.end()
    return tuple(values), body[position:]


def write_parameter_text(parameters: Mapping[str, Sequence[Value]]) -> str:
    """The text form: numbers shortest exact, texts and booleans in quotes, a line per parameter.

    Raises
    ------
    InputError
        If a text holds a quote or a line break, which the form can't express.
    """
    lines = [f"({name} {' '.join(_written(value, name) for value in values)})" for name, values in parameters.items()]
    return "\n".join(lines) + "\n"


def _written(value: Value, name: str) -> str:
    if isinstance(value, bool):
        return '"true"' if value else '"false"'
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if any(character in value for character in '"\n\r'):
        raise InputError(f"the value {value!r} of {name} holds a quote or a line break", where=name)
    return f'"{value}"'
