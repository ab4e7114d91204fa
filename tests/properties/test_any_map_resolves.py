"""Whatever a map says, resolution answers with a plan or with errors that name their lines."""

from hypothesis import given
from hypothesis import strategies as st

from elastix_impact.parameters.catalog import CATALOG
from elastix_impact.parameters.names import needs_level
from elastix_impact.parameters.resolve import resolve
from elastix_impact.parameters.text import parse_parameter_text
from small_map import MAP

NAMES = [name + suffix for name, entry in CATALOG.items() for suffix in (("0", "1") if needs_level(entry) else ("",))]
SAMPLE = ["0", "1", "2", "-1", "0.5", "1e9", "nan", "x", "true", "false", "01", "L1", "Static", "Jacobian", "", "4 4 4"]
COMPONENTS = ["EulerTransform", "AffineTransform", "SimilarityTransform", "Grid", "Full", "StandardGradientDescent"]


@given(
    changes=st.dictionaries(
        st.sampled_from(NAMES), st.lists(st.sampled_from(SAMPLE + COMPONENTS), min_size=1, max_size=5), max_size=6
    ),
    deleted=st.sets(st.sampled_from(sorted(MAP)), max_size=3),
    dimension=st.sampled_from([None, 2, 3]),
)
def test_any_map(changes: dict[str, list[str]], deleted: set[str], dimension: int | None) -> None:
    values = {name: value for name, value in MAP.items() if name not in deleted}
    values |= {name: " ".join(f'"{value}"' for value in given) for name, given in changes.items()}
    lines = [f"({name} {value})" for name, value in values.items()]
    resolution = resolve(parse_parameter_text("\n".join(lines), "map.txt"), dimension=dimension)
    errors = [problem for problem in resolution.problems if problem.severity == "error"]
    assert (resolution.plan is None) == bool(errors)
    for problem in resolution.problems:
        assert problem.message
        if problem.line:
            assert lines[problem.line - 1].startswith(f"({problem.parameter} ")
    if resolution.plan is not None:
        assert resolution.plan.to_json()["dimension"] in (2, 3)
        assert len(resolution.plan.levels) >= 1
        sizes = {len(level.terms[0].fixed_pyramid.shrink_factor) for level in resolution.plan.levels}
        assert sizes == {resolution.plan.dimension}
