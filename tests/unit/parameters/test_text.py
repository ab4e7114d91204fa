"""elastix's text form and its corners."""

import time

import pytest

from elastix_impact.errors import InputError, ParameterMapError
from elastix_impact.parameters.problems import Problem
from elastix_impact.parameters.resolve import resolve
from elastix_impact.parameters.text import (
    count_parameter_maps,
    parse_parameter_text,
    read_parameter_map,
    read_parameter_maps,
    write_parameter_text,
)
from small_case import MAP


def values(text: str) -> dict[str, tuple[str, ...]]:
    return {name: entry.values for name, entry in parse_parameter_text(text, "map.txt").entries.items()}


def faults(text: str) -> list[Problem]:
    try:
        return list(parse_parameter_text(text, "map.txt").faults)
    except ParameterMapError as error:
        return [problem for problem in error.problems if isinstance(problem, Problem)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('(Name 1 2.5 "three")', {"Name": ("1", "2.5", "three")}),
        ('  ( Name  "a b"\t7 )  ', {"Name": ("a b", "7")}),
        ("(A 1) // why\n// (B 2)\n\n(C 3)", {"A": ("1",), "C": ("3",)}),
        ('(Path "http://host/x")//end', {"Path": ("http://host/x",)}),
        ("(A 1)\r\n(B 2)\r(C 3)", {"A": ("1",), "B": ("2",), "C": ("3",)}),
        ("(SP_a 1)\n(SP_A 2)\n(With-dash 3)", {"SP_a": ("1",), "SP_A": ("2",), "With-dash": ("3",)}),
        ('(A "1""2"3)', {"A": ("1", "2", "3")}),
        ('(A "(x)" "")', {"A": ("(x)", "")}),
        ("", {}),
    ],
)
def test_grammar(text: str, expected: dict[str, tuple[str, ...]]) -> None:
    assert values(text) == expected


def test_lines_are_counted_from_1() -> None:
    raw = parse_parameter_text("// title\r\n\r\n(A 1)\r\n(B 2)", "map.txt")
    assert (raw.line("A"), raw.line("B"), raw.line("C")) == (3, 4, 0)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("(A 1", "not closed"),
        ("A 1)", "outside of parentheses"),
        ('(A "1)', "quote"),
        ("(A)", "no value"),
        ("(A )", "no value"),
        ("()", "no parameter name"),
        ('("A" 1)', "no parameter name"),
        ("(A 1) (B 2)", "can't make sense"),
        ('(A"x")', "no space"),
        ("(A.B 1)", "no space"),
        ("(A 1) stray", "not closed"),
    ],
)
def test_each_fault_has_its_line_and_a_remedy(line: str, words: str) -> None:
    (fault,) = faults(f"(Fine 1)\n{line}\n(Fine2 1)")
    assert (fault.severity, fault.source, fault.line) == ("error", "map.txt", 2)
    assert words in fault.message
    assert fault.remedy
    assert str(fault).startswith("map.txt:2")


def test_all_faults_at_once_and_duplicates_with_both_lines() -> None:
    found = faults("(A 1)\n(B\n(A 2)\nrest")
    assert [fault.line for fault in found] == [2, 3, 4]
    assert "line 1" in found[1].message
    assert found[1].parameter == "A"


def test_a_text_that_is_no_map_is_one_fault() -> None:
    (fault,) = faults("Dear all,\nplease find enclosed\n")
    assert "not a parameter map" in fault.message


def test_files(tmp_path) -> None:
    path = tmp_path / "map.txt"
    path.write_bytes(b"\xef\xbb\xbf(A 1)\r\n")
    assert read_parameter_map(path).values("A") == ("1",)
    path.write_bytes(b"\x00\xff\xfe\x80")
    for broken in (path, tmp_path / "absent.txt", tmp_path):
        with pytest.raises(InputError, match=str(broken)):
            read_parameter_map(broken)


def test_bytes_that_are_not_utf8_matter_only_outside_of_comments(tmp_path) -> None:
    path = tmp_path / "map.txt"
    path.write_bytes("(A 1) // Größe in µm\n(B 2)\n".encode("latin-1"))
    assert read_parameter_map(path).faults == ()
    path.write_bytes('(A 1)\n(Path "Größe.pt")\n'.encode("latin-1"))
    (fault,) = read_parameter_map(path).faults
    assert (fault.line, fault.remedy) == (2, "Save the file as UTF-8")


def test_writing() -> None:
    text = write_parameter_text({"A": [1, 0.1, True, "x y"], "B": [2.0], "C": [1e-20]})
    assert text == '(A 1 0.1 "true" "x y")\n(B 2)\n(C 1e-20)\n'
    with pytest.raises(InputError, match="quote"):
        write_parameter_text({"A": ['say "x"']})


def test_a_faulty_line_does_not_hide_the_faults_of_others() -> None:
    text = MAP.replace('"Static"', '"Statik"') + '(Metric "Impact")\n(Broken'
    problems = resolve(parse_parameter_text(text, "map.txt")).problems
    assert {p.parameter for p in problems if p.severity == "error"} == {"Metric", "Broken", "ImpactMode"}


def test_several_maps_in_a_file_begin_with_lines_that_name_them(tmp_path) -> None:
    path = tmp_path / "map.txt"
    path.write_text("// ---- 0_rigid.txt\n(A 1)\r\n// ---- Output ----\n// ---- 1_mind.txt \n\n(A 2)\n(B x y\n")
    first, second = read_parameter_maps(path)
    assert count_parameter_maps(path) == 2
    assert (first.values("A"), second.values("A"), second.line("A")) == (("1",), ("2",), 6)
    assert [(fault.line, fault.parameter) for fault in second.faults] == [(7, "B")]
    assert first.source == second.source == str(path)


@pytest.mark.parametrize("text", ["(A 1)\n// ---- 1_mind.txt\n(A 2)\n", "// ---- a b.txt\n(A 1)\n(A 2)\n"])
def test_a_file_that_does_not_begin_so_is_one_map(tmp_path, text: str) -> None:
    path = tmp_path / "map.txt"
    path.write_text(text)
    (only,) = read_parameter_maps(path)
    assert len(only.faults) == 1
    assert only == parse_parameter_text(text, str(path))
    assert count_parameter_maps(path) == 1


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("(A 1 2) // (B 3)", ("1", "2")),
        ('(A "http://host/a" "b") // c', ("http://host/a", "b")),
        ('(A "x//y") //"', ("x//y",)),
        ("(A 1/2 /3) /// four", ("1/2", "/3")),
    ],
)
def test_comments_begin_outside_of_quotes(line: str, values: tuple[str, ...]) -> None:
    raw = parse_parameter_text(line, "map.txt")
    assert raw.values("A") == values
    assert not raw.faults


def test_a_comment_in_a_text_that_is_not_closed_is_none() -> None:
    (fault,) = parse_parameter_text('(A "b // c)', "map.txt").faults
    assert "a quote is not closed" in str(fault)


def test_millions_of_numbers_take_no_time() -> None:
    text = f"(A {'-0.123456 ' * 1_000_000})"
    began = time.process_time()
    raw = parse_parameter_text(text, "transform.txt")
    assert time.process_time() - began < 2  # 0.2 s alone; character after character it was 10 s
    assert len(raw.values("A")) == 1_000_000
