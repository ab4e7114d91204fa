"""The verdict of a run in words, for the top of its page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from .table import Table

_WORDS = {
    "good": ("✓", "Good", "nothing that was measured speaks against this result"),
    "look": ("!", "Look at it", "something about this result needs your eyes before it is used"),
    "bad": ("✗", "Bad", "do not use this result"),
}
"""Per word: symbol, title, what it means."""


@final
@dataclass(frozen=True)
class Reason:
    """Why a verdict is not `good`: a sentence, the numbers behind it, what to change."""

    word: str
    symbol: str
    sentence: str
    numbers: str
    remedy: str


@final
@dataclass(frozen=True)
class Verdict:
    """A verdict: its word, also a class of the page's style, with symbol, title, meaning, reasons and all checks."""

    word: str
    symbol: str
    title: str
    meaning: str
    reasons: tuple[Reason, ...]
    checks: Table


def verdict_of(record: Mapping[str, Any]) -> Verdict | None:
    """The verdict in a record; None if it has none."""
    found = record.get("verdict")
    if not found:
        return None
    symbol, title, meaning = _WORDS[found["word"]]
    reasons = sorted(found["reasons"], key=lambda one: one["word"])  # "bad" before "look"
    return Verdict(found["word"], symbol, title, meaning, tuple(map(_reason, reasons)), _checks(found["checks"]))


def _reason(one: Mapping[str, Any]) -> Reason:
    return Reason(one["word"], _WORDS[one["word"]][0], one["sentence"], _numbers(one), one["remedy"])


def _numbers(one: Mapping[str, Any]) -> str:
    if one["value"] is None:
        return ""
    against = "" if one["threshold"] is None else f", threshold {_number(one['threshold'], one['unit'])}"
    return f"measured {_number(one['value'], one['unit'])}{against}"


def _checks(checks: list[Mapping[str, Any]]) -> Table:
    rows = tuple(
        (
            one["check"],
            _number(one["value"], one["unit"]),
            _number(one["threshold"], one["unit"]),
            f"{_WORDS[one['word']][0]} {one['word']}",
        )
        for one in checks
    )
    return Table(("check", "measured", "threshold", ""), rows)


def _number(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:.3g} {unit}".rstrip()
