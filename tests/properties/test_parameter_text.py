"""What is written is read again, in both forms."""

import contextlib
import string

from hypothesis import given
from hypothesis import strategies as st

from elastix_impact.errors import ParameterMapError
from elastix_impact.parameters.raw import RawParameterMap, Value
from elastix_impact.parameters.text import parse_parameter_text, write_parameter_text
from elastix_impact.parameters.toml import parse_parameter_toml, write_parameter_toml

NAMES = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=20).filter(
    lambda name: name[0].isalpha() or name[0] == "_"
)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TEXTS = ANY_TEXT.filter(lambda text: not set(text) & set('"\n\r'))
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False))


def maps(texts: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, list[Value]]]:
    values = st.one_of(texts, NUMBERS, st.booleans())
    return st.dictionaries(NAMES, st.lists(values, min_size=1, max_size=4), max_size=6)


def assert_same(raw: RawParameterMap, written: dict[str, list[Value]]) -> None:
    assert list(raw.entries) == list(written)
    for name, values in written.items():
        for text, value in zip(raw.values(name), values, strict=True):
            if isinstance(value, str):
                assert text == value
            elif isinstance(value, bool):
                assert text == str(value).lower()
            else:
                assert type(value)(text) == value


@given(maps(TEXTS))
def test_text_form(parameters: dict[str, list[Value]]) -> None:
    assert_same(parse_parameter_text(write_parameter_text(parameters), "map.txt"), parameters)


@given(maps(ANY_TEXT))
def test_toml_form(parameters: dict[str, list[Value]]) -> None:
    assert_same(parse_parameter_toml(write_parameter_toml(parameters), "map.toml"), parameters)


@given(maps(TEXTS))
def test_both_forms_read_alike(parameters: dict[str, list[Value]]) -> None:
    text = parse_parameter_text(write_parameter_text(parameters), "map.txt")
    toml = parse_parameter_toml(write_parameter_toml(parameters), "map.toml")
    numbers = {name for name, values in parameters.items() if any(type(value) is float for value in values)}
    for name in set(parameters) - numbers:
        assert text.values(name) == toml.values(name)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_read_or_refused(before: str, after: str) -> None:
    """No text makes the reader fail but with its own error."""
    with contextlib.suppress(ParameterMapError):
        raw = parse_parameter_text(f"{before}(A {after})", "map.txt")
        assert all(entry.values for entry in raw.entries.values())
