"""The TOML form."""

import pytest

from elastix_impact.errors import ParameterMapError
from elastix_impact.parameters.problems import raise_if_errors
from elastix_impact.parameters.text import read_parameter_map
from elastix_impact.parameters.toml import parse_parameter_toml, write_parameter_toml


def test_values_are_those_of_the_text_form() -> None:
    raw = parse_parameter_toml('# c\nA = 1\nB = [0.5, "x", true]\nC = "a\\"b"\n', "map.toml")
    assert [raw.values(name) for name in "ABC"] == [("1",), ("0.5", "x", "true"), ('a"b',)]
    assert [raw.line(name) for name in "ABC"] == [2, 3, 4]


@pytest.mark.parametrize("text", ["A = ", "A = 1\nA = 2", "[A]\nB = 1", "A = []", "A = [[1]]", "A = 2026-01-01"])
def test_faults(text: str) -> None:
    with pytest.raises(ParameterMapError, match=r"map\.toml"):
        raise_if_errors(parse_parameter_toml(text, "map.toml").faults)


def test_suffix_decides(tmp_path) -> None:
    path = tmp_path / "map.toml"
    path.write_text(write_parameter_toml({"Metric": ["Impact"], "Spacing": [1.5, 2.0], "Flag": [True]}))
    raw = read_parameter_map(path)
    assert raw.values("Metric") == ("Impact",)
    assert raw.values("Spacing") == ("1.5", "2.0")
    assert raw.values("Flag") == ("true",)


def test_a_line_that_is_not_toml_is_named() -> None:
    with pytest.raises(ParameterMapError, match=r"^map\.toml:2: not valid TOML"):
        parse_parameter_toml("A = 1\nB = = 2\n", "map.toml")


def test_values_that_are_not_utf8_are_faults(tmp_path) -> None:
    path = tmp_path / "map.toml"
    path.write_bytes('A = 1 # Größe\nB = "Größe"\n'.encode("latin-1"))
    (fault,) = read_parameter_map(path).faults
    assert (fault.line, fault.parameter, fault.remedy) == (2, "B", "Save the file as UTF-8")
