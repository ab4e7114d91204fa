"""What the small map, changed, resolves to."""

from collections.abc import Callable

import pytest

from elastix_impact.parameters.problems import Problem
from elastix_impact.parameters.resolve import Resolution, resolve
from elastix_impact.parameters.text import parse_parameter_text
from small_map import map_text

Resolve = Callable[..., Resolution]


@pytest.fixture
def resolved() -> Resolve:
    """What the small map with changes resolves to."""

    def of(dimension: int | None = None, **changes: str | None) -> Resolution:
        return resolve(parse_parameter_text(map_text(**changes), "map.txt"), dimension=dimension)

    return of


@pytest.fixture
def plan(resolved: Resolve):
    """The plan of the small map with changes, which must have no error."""

    def of(dimension: int | None = None, **changes: str | None):
        resolution = resolved(dimension, **changes)
        assert resolution.plan is not None, [str(problem) for problem in resolution.problems]
        return resolution.plan

    return of


@pytest.fixture
def only_error(resolved: Resolve) -> Callable[..., Problem]:
    """The one error of the small map with changes; it must name its line and a remedy."""

    def of(**changes: str | None) -> Problem:
        resolution = resolved(**changes)
        errors = [problem for problem in resolution.problems if problem.severity == "error"]
        assert resolution.plan is None
        assert len(errors) == 1, [str(error) for error in errors]
        error = errors[0]
        lines = map_text(**changes).splitlines()
        if error.line:
            assert lines[error.line - 1].startswith(f"({error.parameter} ")
        assert error.remedy
        return error

    return of
