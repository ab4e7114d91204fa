"""`--seeds`: the same case with further seeds, and what the verdict makes of it; the same from Python."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import elastix_impact
from elastix_impact.cli.main import main
from elastix_impact.errors import InputError, OutputError
from elastix_impact.runs import run_case as run_case_module
from elastix_impact.runs.case import Case
from elastix_impact.runs.record import RunRecord
from elastix_impact.runs.run_case import run_case
from elastix_impact.staging.staged import WORK_NAME
from small_case import write_volume

SEED = 121212
"""The default of RandomSeed."""

SAME = ("TransformParameters.0.txt", "result.0.mha", "landmarks.csv")


def run(data: Path, out: Path, *more: str) -> dict:
    assert main(["run", "--data", str(data), "--out", str(out), "--device", "cpu", "--threads", "1", *more]) == 0
    return record_of(out)


def record_of(out: Path) -> dict:
    return json.loads((out / "registration.json").read_text())


def value_of(record: dict, check: str) -> dict:
    (found,) = [one for one in record["verdict"]["checks"] if one["check"] == check]
    return found


def test_the_result_stays_and_the_verdict_knows_more(data: Path, tmp_path: Path, capsys) -> None:
    alone, other, out = tmp_path / "alone", tmp_path / "other", tmp_path / "out"
    before = run(data, alone, "--quiet")
    run(data, other, "--quiet", "--seed", str(SEED + 1))
    capsys.readouterr()
    record = run(data, out, "--seeds", "2", "--progress", "plain")
    said = capsys.readouterr()
    for name in SAME:
        assert (out / name).read_bytes() == (alone / name).read_bytes()
    assert record["files"] == before["files"]
    assert "seeds" not in before

    seeds = record["seeds"]
    assert (seeds["seeds"], seeds["failed"]) == ([SEED, SEED + 1], {})
    checks = [one["check"] for one in record["verdict"]["checks"]]
    assert checks == [one["check"] for one in before["verdict"]["checks"]] + ["seeds_disagree", "seeds_failed"]
    extent = 28 * 4.0
    assert value_of(record, "seeds_disagree")["value"] == pytest.approx(100 * seeds["mean_mm"] / extent)
    assert 0 < seeds["mean_mm"] < seeds["p95_mm"] < 2

    further = out / "seeds" / str(SEED + 1)
    names = {"TransformParameters.0.txt", "elastix.log", "registration.json"}
    assert {path.name for path in further.iterdir()} == names, "no image, no tables, no measures"
    assert (further / SAME[0]).read_bytes() == (other / SAME[0]).read_bytes()
    assert said.err.count("running again with seed") == 1
    assert f"elastix-impact: running again with seed {SEED + 1} (2 of 2)\n" in said.err
    assert said.out.splitlines()[2].startswith(f"seeds {SEED}, {SEED + 1}: at most ")
    assert f"seeds {SEED}, {SEED + 1}: at most " in (out / "elastix.log").read_text()


def test_results_that_differ_from_seed_to_seed_are_not_good(data: Path, tmp_path: Path, capsys) -> None:
    random = np.random.default_rng(0)
    for name in ("FixedImage", "MovingImage"):
        write_volume(data / f"{name}.mha", random.normal(0, 300, (20, 24, 28)))
    path = data / "ParameterMap.txt"
    path.write_text(path.read_text().replace("(MaximumStepLength 1.0)", "(MaximumStepLength 8.0)"))
    record = run(data, tmp_path / "out", "--quiet", "--seeds", "3")
    found = value_of(record, "seeds_disagree")
    assert found["word"] in ("look", "bad")
    assert found["value"] > 1
    (reason,) = [one for one in record["verdict"]["reasons"] if one["check"] == "seeds_disagree"]
    assert f"{record['seeds']['mean_mm']:.2f} mm on average" in reason["sentence"]
    assert reason["sentence"] in capsys.readouterr().out


def test_a_seed_that_fails_takes_a_look(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rightly = run_case_module._run_again

    def run_again(command: Sequence[str]) -> Callable[[Case], RunRecord]:
        def one(case: Case) -> RunRecord:
            if case.out.name == str(SEED + 1):
                raise OutputError("this is a file, not a folder")
            return rightly(command)(case)

        return one

    monkeypatch.setattr(run_case_module, "_run_again", run_again)
    record = run(data, tmp_path, "--quiet", "--seeds", "3")
    assert "this is a file, not a folder" in record["seeds"]["failed"][str(SEED + 1)]
    assert [one["seeds"] for one in record["seeds"]["distances"]] == [[SEED, SEED + 2]]
    (reason,) = record["verdict"]["reasons"]
    assert (reason["check"], reason["word"]) == ("seeds_failed", "look")
    assert "this is a file, not a folder" in reason["sentence"]


def test_an_image_that_does_not_register_with_another_seed_says_so(data: Path, tmp_path: Path) -> None:
    image = sitk.ReadImage(str(data / "MovingImage.mha"))
    image.SetOrigin([value + 60 for value in image.GetOrigin()])
    sitk.WriteImage(image, str(data / "MovingImage.mha"))
    path = data / "ParameterMap.txt"
    path.write_text(path.read_text() + "(RequiredRatioOfValidSamples 0.9)\n(MaximumNumberOfSamplingAttempts 0)\n")
    words = ["run", "--data", str(data), "--out", str(tmp_path / "out"), "--quiet", "--seeds", "2", "--device", "cpu"]
    assert main(words) == 1
    record = record_of(tmp_path / "out")
    assert "seeds" not in record
    assert any(text.startswith("no further seed was tried: Too many samples") for text in record["warnings"])
    assert not (tmp_path / "out" / "seeds").exists()


def interrupting_at(words: str) -> Callable[[str], None]:
    def note(text: str) -> None:
        if words in text:
            raise KeyboardInterrupt

    return note


def test_a_resumed_run_keeps_the_seeds_that_are_finished(data: Path, tmp_path: Path) -> None:
    case = Case(
        fixed=data / "FixedImage.mha", moving=data / "MovingImage.mha", maps=(data / "ParameterMap.txt",),
        out=tmp_path, data_folder=data, device="cpu", threads=1, checkpoint_every=1000.0, seeds=3,
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt) as caught:
        run_case(case, on_note=interrupting_at("(3 of 3)"))
    assert "The same command with --resume continues the run." in caught.value.__notes__
    work, finished = tmp_path / WORK_NAME, tmp_path / "seeds" / str(SEED + 1) / "registration.json"
    before = (work / finished.relative_to(tmp_path)).stat().st_mtime_ns
    transform = (work / SAME[0]).read_bytes()
    record = run_case(replace(case, resume=True))
    assert finished.stat().st_mtime_ns == before
    assert (tmp_path / SAME[0]).read_bytes() == transform
    assert record.seeds is not None
    assert (record.seeds.seeds, len(record.seeds.distances)) == ((SEED, SEED + 1, SEED + 2), 3)

    run_case(replace(case, seeds=1))
    assert not finished.exists(), "what another run left is nobody's"
    assert not (finished.parent / SAME[0]).exists()


def test_from_python(data: Path) -> None:
    pair = data / "FixedImage.mha", data / "MovingImage.mha", data / "ParameterMap.txt"
    found = elastix_impact.register(*pair, data_folder=data, device="cpu", threads=1, seed=3, seeds=2)
    assert found.record["seeds"]["seeds"] == [3, 4]
    assert found.verdict is not None
    assert found.verdict.checks[-2].check == "seeds_disagree"
    with pytest.raises(InputError, match="seeds: 0 seeds"):
        elastix_impact.register(*pair, seeds=0)
