"""Runs into a folder that has a result: it holds the one or the other, and what is of others stays."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import elastix_impact
from elastix_impact.cli.main import main
from elastix_impact.staging.staged import LOCK_NAME, WORK_NAME
from tiny_case import MAP, content, record_in, write_tiny_case


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_tiny_case(tmp_path / "Data", stages=2)


def words(data: Path, out: Path, *more: str) -> list[str]:
    return ["run", "--data", str(data), "--out", str(out), "--quiet", "--threads", "1", *more]


def test_fewer_stages_leave_nothing_of_the_earlier_ones_and_what_is_of_others_stays(data: Path, tmp_path: Path) -> None:
    out, alone = tmp_path / "out", tmp_path / "alone"
    assert main(words(data, out, "--report")) == 0
    assert {"TransformParameters.1.txt", "result.1.mhd", "result.1.raw", "report.html"} <= set(content(out))
    mine = {"notes.txt": b"mine", "result.7.mha": b"mine", "seeds/notes.txt": b"mine"}
    (out / "seeds").mkdir()
    for name, text in mine.items():
        (out / name).write_bytes(text)
    (data / "ParameterMap.1.txt").unlink()
    (data / "Fixed_landmarks.txt").unlink()
    (data / "Moving_landmarks.txt").unlink()
    assert main(words(data, out)) == 0
    assert main(words(data, alone)) == 0
    assert set(content(out)) == set(content(alone)) | set(mine), "no landmarks, no second stage, no report"
    assert {name: held for name, held in content(out).items() if name in mine} == mine
    for name in ("TransformParameters.0.txt", "result.0.mhd", "result.0.raw"):
        assert content(out)[name] == content(alone)[name]


FAULTS = {
    "a registration that fails": (1, "(MaximumNumberOfSamplingAttempts 0)\n(RequiredRatioOfValidSamples 1.0)\n"),
    "a format that can't be written": (2, '(ResultImageFormat "png")\n'),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_that_fails_leaves_the_earlier_result_whole_and_says_where_it_was(
    fault: str, data: Path, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "out"
    assert main(words(data, out)) == 0
    before = content(out)
    code, lines = FAULTS[fault]
    names = {line.split()[0] for line in lines.splitlines()}
    kept = "".join(line + "\n" for line in MAP.splitlines() if line.split()[0] not in names)
    (data / "ParameterMap.1.txt").write_text(kept + lines)
    assert main(words(data, out)) == code
    assert content(out) == before
    assert str(out / WORK_NAME) in capsys.readouterr().err
    assert not record_in(out / WORK_NAME)["complete"]
    (data / "ParameterMap.1.txt").write_text(MAP)
    assert main(words(data, out)) == 0
    assert not (out / WORK_NAME).exists()


def test_a_run_that_fails_where_nothing_was_lies_there(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (data / "Fixed_landmarks.txt").write_text("no points")
    assert main(words(data, out)) == 2
    assert set(content(out)) == {"elastix.log", "registration.json"}
    assert record_in(out)["status"] == "error"
    assert not (out / WORK_NAME).exists()


def test_one_that_can_be_continued_stays_where_it_worked(data: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    (data / "ParameterMap.1.txt").write_text(MAP.replace('"mhd"', '"png"'))
    assert main(words(data, out)) == 2
    assert not content(out)
    assert f"What the run had is in {out / WORK_NAME}." in capsys.readouterr().err
    assert (out / WORK_NAME / "checkpoint.pt").exists()


def test_two_at_once_are_one_and_a_paragraph(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(words(data, out)) == 0
    before = content(out)
    (data / "ParameterMap.txt").write_text(MAP.replace("Iterations 8", "Iterations 1000000"))
    command = [sys.executable, "-m", "elastix_impact", *words(data, out)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as first:
        try:
            wait_for(out / WORK_NAME / "elastix.log", "Resolution: 0", first)
            second = subprocess.run(command, capture_output=True, text=True, timeout=120)
            assert second.returncode == 2
            assert f"another run is at work in this folder: process {first.pid}" in second.stderr
            assert len(second.stderr.splitlines()) == 1
            assert first.poll() is None, "the first one goes on"
        finally:
            first.send_signal(signal.SIGKILL)
    assert {name: held for name, held in content(out).items() if name != LOCK_NAME} == before
    (data / "ParameterMap.txt").write_text(MAP)
    assert main(words(data, out)) == 0, "the lock of one that was killed is taken over"
    assert set(content(out)) == set(before)


def wait_for(path: Path, text: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 100
    while not (path.is_file() and text in path.read_text()):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.02)


def test_maps_of_a_preset_and_inputs_from_memory_belong_to_their_run(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pair = data / "FixedImage.mha", data / "MovingImage.mha"
    first = elastix_impact.register(*pair, MAP, out=out, threads=1, device="cpu")
    map_path = Path(first.record["stages"][0]["parameter_map"]["path"])
    assert map_path == out / "inputs" / "ParameterMap.0.txt"
    assert map_path.read_text() == MAP, "the record names it where it lies"
    assert first.out == out
    with pytest.raises(elastix_impact.ElastixImpactError):
        elastix_impact.register(*pair, MAP.replace('"mhd"', '"png"'), out=out, threads=1, device="cpu")
    assert map_path.read_text() == MAP, "a run that fails changes nothing of it"


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_link_that_waits_where_a_log_will_be_is_not_followed(data: Path, tmp_path: Path) -> None:
    out, precious = tmp_path / "out", tmp_path / "precious"
    out.mkdir()
    precious.write_text("precious")
    for name in ("elastix.log", "registration.json", "TransformParameters.0.txt"):
        (out / name).symlink_to(precious)
    assert main(words(data, out)) == 0
    assert precious.read_text() == "precious"
    assert not (out / "elastix.log").is_symlink()
