"""The elastix form: pairs of arguments and elastix's exit codes."""

from pathlib import Path

import pytest

from elastix_impact.cli.main import main
from elastix_impact.cli.paired_arguments import parse_pairs


@pytest.mark.parametrize("words", [[], ["-p"], ["anything"]])
def test_one_word_or_none_points_to_the_help(words: list[str], capsys) -> None:
    assert main(["elastix", *words]) == 0
    assert "elastix --help" in capsys.readouterr().out


@pytest.mark.parametrize("word", ["--help", "-h", "-help"])
def test_help(word: str, capsys) -> None:
    assert main(["elastix", word]) == 0
    text = capsys.readouterr().out
    for key in (
        "-f ",
        "-m ",
        "-out",
        "-p ",
        "-fMask",
        "-mMask",
        "-fp",
        "-mp",
        "-t0",
        "-loglevel",
        "-priority",
        "-threads",
    ):
        assert key in text


def test_versions(capsys) -> None:
    assert main(["elastix", "--version"]) == 0
    assert capsys.readouterr().out.startswith("elastix version: 5.")
    assert main(["elastix", "--extended-version"]) == 0
    assert "torch version: " in capsys.readouterr().out


def test_codes_for_what_is_missing(tmp_path: Path, capsys) -> None:
    out = str(tmp_path)
    absent = str(tmp_path / "absent")
    assert main(["elastix", "-f", "a", "-out", out]) == 255
    assert main(["elastix", "-f", "a", "-p", "map.txt"]) == 254
    assert main(["elastix", "-f", "a", "-m", "b"]) == 254
    assert main(["elastix", "-p", "map.txt", "-out", absent]) == 254
    assert main(["elastix", "-f", "a", "-out", absent]) == 255
    assert main(["elastix", "-p", "map.txt", "-out", out, "-loglevel", "loud"]) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_pairs() -> None:
    arguments = parse_pairs(["-f", "a", "-p", "1", "-f", "b", "-p", "2", "-strange", "x", "-last"])
    assert arguments.values == {"-f": "a", "-strange": "x"}
    assert arguments.maps == ["1", "2"]
    assert arguments.repeated == ["-f b"]
    assert arguments.alone == "-last"


@pytest.mark.parametrize(
    ("program", "words", "said"),
    [
        ("elastix", ["-fmask", "x.mha"], "-fmask x.mha is ignored: elastix has no -fmask. Did you mean -fMask?"),
        ("elastix", ["-fixedMask", "x"], "Did you mean -fMask?"),
        ("elastix", ["--out", "x"], "Did you mean -out?"),
        ("elastix", ["-qqqqqq", "bar"], "-qqqqqq bar is ignored: elastix has no -qqqqqq. It knows -f, -m, -out"),
        ("elastix", ["-fMask"], "-fMask is ignored: it has no value. Arguments come in pairs"),
        ("elastix", ["-mask"], "-mask is ignored: it has no value. Did you mean"),
        ("transformix", ["-ref", "x"], "-ref x is ignored: transformix has no -ref"),
        ("transformix", ["-jacmatt", "all"], "Did you mean -jacmat?"),
    ],
)
def test_unknown_keys_are_told_with_the_nearest_known_one(
    program: str, words: list[str], said: str, tmp_path: Path, capsys
) -> None:
    needed = {"elastix": ["-f", "a", "-m", "b", "-p", "c"], "transformix": ["-tp", "a", "-in", "b"]}[program]
    assert main([program, *needed, "-out", str(tmp_path), *words]) == 1
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("program", ["elastix", "transformix"])
def test_known_keys_are_not_warned_of(program: str, tmp_path: Path, capsys) -> None:
    common = ["-out", str(tmp_path), "-loglevel", "off", "-threads", "1", "-priority", "high"]
    own = {
        "elastix": ["-f", "a", "-m", "b", "-p", "c", "-p", "d", "-fMask", "e", "-mMask", "f", "-fp", "g", "-mp", "h",
                    "-t0", "i"],
        "transformix": ["-tp", "a", "-in", "b", "-def", "all", "-jac", "all", "-jacmat", "all"],
    }[program]  # fmt: skip
    assert main([program, *own, *common]) == 1
    assert "warning" not in capsys.readouterr().err


def test_several_images_at_once_are_refused(tmp_path: Path, capsys) -> None:
    assert main(["elastix", "-f0", "a", "-f1", "b", "-m", "c", "-p", "map.txt", "-out", str(tmp_path)]) == 1
    assert "-f0 is not supported" in capsys.readouterr().err


@pytest.mark.parametrize(("given", "missing"), [("-m", "-f"), ("-f", "-m")])
def test_a_missing_image_key_is_named(given: str, missing: str, tmp_path: Path, capsys) -> None:
    assert main(["elastix", given, "a.mha", "-p", "map.txt", "-out", str(tmp_path)]) == 1
    assert f"Give one with {missing}" in capsys.readouterr().err


@pytest.mark.parametrize("threads", ["0", "many", "-2"])
def test_threads_must_be_a_number(threads: str, tmp_path: Path, capsys) -> None:
    words = ["-f", "a", "-m", "b", "-p", "map.txt", "-out", str(tmp_path), "-threads", threads]
    assert main(["elastix", *words]) == 1
    assert "-threads" in capsys.readouterr().err


def test_a_missing_map_is_an_error_of_the_run(tmp_path: Path, capsys) -> None:
    words = ["-f", "a.mha", "-m", "b.mha", "-p", str(tmp_path / "map.txt"), "-out", str(tmp_path)]
    assert main(["elastix", *words]) == 1
    assert "map.txt" in capsys.readouterr().err
