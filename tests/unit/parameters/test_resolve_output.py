"""Result files are checked before anything runs."""

import pytest

from elastix_impact.parameters.resolve import resolve
from elastix_impact.parameters.text import parse_parameter_text
from small_case import MAP


@pytest.mark.parametrize(
    ("format_name", "dimension", "says"),
    [("mah", 3, "is not possible"), ("png", 3, "can't hold a volume"), ("nii.gz", 3, ""), ("mha", 3, "")],
)
def test_a_format_that_cannot_be_written_is_found_at_once(format_name, dimension, says):
    text = MAP.replace('(ResultImageFormat "mha")', f'(ResultImageFormat "{format_name}")')
    problems = resolve(parse_parameter_text(text, "map.txt"), dimension=dimension).problems
    errors = [str(problem) for problem in problems if problem.severity == "error"]
    assert bool(errors) == bool(says)
    assert all("map.txt:" in error and "ResultImageFormat" in error and says in error for error in errors)
