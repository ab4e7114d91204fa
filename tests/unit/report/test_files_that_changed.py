"""A report says which files are no longer those that were registered, and that a later run did not end well."""

import json
from pathlib import Path

import pytest
import SimpleITK as sitk

from elastix_impact.cli.main import main
from elastix_impact.report.finished_run import read_run
from elastix_impact.staging.staged import WORK_NAME
from elastix_impact.staging.swap import RECORD, Swap
from tiny_case import content, record_in, write_tiny_case


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, Path]:
    data, out = write_tiny_case(tmp_path / "Data"), tmp_path / "out"
    assert main(["run", "--data", str(data), "--out", str(out), "--quiet"]) == 0
    return data, out


def test_as_long_as_nothing_changes_nothing_is_said(run: tuple[Path, Path]) -> None:
    _, out = run
    assert read_run(out).missing == []
    roles = [facts["role"] for facts in record_in(out)["files_read"]]
    assert roles == ["fixed image", "moving image", "fixed landmarks", "moving landmarks"]


def test_what_changed_and_what_is_gone(run: tuple[Path, Path]) -> None:
    data, out = run
    image = sitk.ReadImage(str(data / "FixedImage.mha"))
    image[3, 3] = image[3, 3] + 1
    sitk.WriteImage(image, str(data / "FixedImage.mha"))
    (data / "Moving_landmarks.txt").unlink()
    with (data / "ParameterMap.txt").open("a") as file:
        file.write("// a word\n")
    said = read_run(out).missing
    assert [text for text in said if "no longer" in text] == [
        f"The fixed image is no longer the file that was registered: {data / 'FixedImage.mha'} has changed since.",
        f"The moving landmarks is no longer the file that was registered: {data / 'Moving_landmarks.txt'} is missing.",
        f"The parameter map is no longer the file that was registered: {data / 'ParameterMap.txt'} has changed since.",
    ]
    assert main(["report", str(out)]) == 0
    assert "FixedImage.mha has changed since" in (out / "report.html").read_text(encoding="utf-8")


def test_a_later_run_that_failed(run: tuple[Path, Path]) -> None:
    data, out = run
    text = (data / "ParameterMap.txt").read_text()
    (data / "ParameterMap.txt").write_text(text.replace('"mhd"', '"png"'))
    assert main(["run", "--data", str(data), "--out", str(out), "--quiet"]) == 2
    said = [one for one in read_run(out).missing if "later run" in one]
    assert said == [
        "A later run into this folder is not complete (error); this is the earlier result. "
        f"What it had is in {out / WORK_NAME}."
    ]


def test_a_run_that_was_killed_while_its_files_took_their_places_is_finished(run: tuple[Path, Path]) -> None:
    _, out = run
    whole = content(out)
    work = out / WORK_NAME
    for name in whole:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).rename(work / name)
    swap = Swap.of(work, out, [])
    (work / "swap.json").write_text(json.dumps({"new": swap.new, "old": swap.old}))
    (work / "result.0.raw").rename(out / "result.0.raw")
    assert not (out / RECORD).exists()
    read_run(out)
    assert content(out) == whole
    assert not work.exists()
