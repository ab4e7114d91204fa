"""Faults of parameter maps: where, what, and what to do; all of them at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, final

from elastix_impact.errors import ParameterMapError

Severity = Literal["error", "warning", "hint"]


@final
@dataclass(frozen=True, slots=True)
class Problem:
    """One fault or remark.

    Attributes
    ----------
    severity
        ``"error"``: the map can't be run. ``"warning"``: it runs, perhaps not as meant. ``"hint"``: worth knowing.
    source, line
        File and 1-based line; 0 = no particular line.
    parameter
        The parameter concerned, empty = the whole file.
    message
        What is wrong, with the numbers; no full stop.
    remedy
        What to do, in the imperative; may be empty.
    """

    severity: Severity
    source: str
    line: int
    parameter: str
    message: str
    remedy: str = ""

    @property
    def where(self) -> str:
        """``file:line``, or the file alone."""
        return f"{self.source}:{self.line}" if self.line else self.source

    def __str__(self) -> str:
        head = f"{self.where} {self.parameter}: " if self.parameter else f"{self.where}: "
        remedy = self.remedy if self.remedy.endswith("?") else f"{self.remedy.rstrip('.')}."
        return f"{head}{self.message.rstrip('.')}." + (f" {remedy}" if self.remedy else "")


def raise_if_errors(problems: Iterable[Problem]) -> None:
    """Raise one `ParameterMapError` that names every error among the problems.

    Raises
    ------
    ParameterMapError
        Its `problems` are all problems, warnings included.
    """
    everything = tuple(problems)
    errors = [problem for problem in everything if problem.severity == "error"]
    if not errors:
        return
    if len(errors) == 1:
        raise _error(str(errors[0]), everything)
    lines = "\n".join(f"  {problem}" for problem in errors)
    raise _error(f"{len(errors)} faults in the parameter map:\n{lines}", everything)


def _error(text: str, problems: tuple[Problem, ...]) -> ParameterMapError:
    error = ParameterMapError(text)
    error.problems = problems
    return error


def counted(number: int, noun: str) -> str:
    """``"1 level"``, ``"2 levels"``."""
    return f"{number} {noun}" + "s" * (number != 1)


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """The known name nearest to `name`, or None if none is near."""
    by_folded = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), by_folded, n=1, cutoff=0.8)
    return by_folded[near[0]] if near else None
