"""Lists that are longer or shorter than there are levels."""

from __future__ import annotations

from elastix_impact.parameters.names import parameter_of
from elastix_impact.parameters.problems import counted
from elastix_impact.parameters.reader import Reader


def check_counts(reader: Reader, levels: int) -> None:
    """Note a warning for each parameter that was read whose list elastix would not read as written.

    Per level a missing value is the first one again and a surplus one is ignored; a parameter that is read once is its
    first value.
    """
    for name in sorted(reader.used):
        parameter, _ = parameter_of(name)
        count = len(reader.raw.values(name))
        if parameter is None or count == 1:
            continue
        first = reader.raw.values(name)[0]
        if parameter.indexing == "once":
            reader.note("warning", name, f"{count} values are given, only the first, {first}, is read", "Give one")
        elif parameter.indexing == "level" and count > levels:
            message = f"{count} values for {counted(levels, 'level')}: the last ones are ignored"
            reader.note("warning", name, message, f"Give one value, or {levels}")
        elif parameter.indexing == "level" and count < levels:
            message = f"{count} values for {levels} levels: the missing ones are the first, {first}, as in elastix"
            reader.note("warning", name, message, f"Give one value, or {levels}")
