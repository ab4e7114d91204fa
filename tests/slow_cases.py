"""Cases of a parametrised test of which some take minutes."""

from collections.abc import Collection, Iterable

import pytest


def slow_marked(names: Iterable[str], slow: Collection[str]) -> list[object]:
    """The names as cases, those in `slow` with the mark of that name."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in slow else name for name in names]
