"""Damaged files of a finished run, and damaged checkpoints, by a seed: a page or state as it was, or an error of ours.

The run's images are gone, so that its page has words, tables and charts, and no pictures: those cost a second each.
"""

import random
import shutil
from pathlib import Path

import pytest
import torch

from elastix_impact.cli.main import main
from elastix_impact.report.render import NAME, write_report
from elastix_impact.resuming.checkpoint import FILE_NAME, Checkpoint
from elastix_impact.runs.case import Case as RegistrationCase
from elastix_impact.runs.record import RunRecord
from elastix_impact.runs.run_case import run_case
from elastix_impact.staging.staged import WORK_NAME
from fuzz.battery import CASES, WRONG, Case, Outcome, run_battery
from fuzz.records import files_of, spoil
from interrupting import Interrupts
from small_case import write_small_case, write_small_labels

PAGES = CASES // 5
"""A page costs some tenths of a second."""

WITH_CHARTS = 20
"""Every so manieth page has its charts and pictures of deformations: those cost most of a second."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = write_small_case(tmp_path_factory.mktemp("run") / "Data")
    write_small_labels(data)
    text = (data / "ParameterMap.txt").read_text().replace("Iterations 40", "Iterations 4")
    (data / "ParameterMap.txt").write_text(text)
    return data


@pytest.fixture(scope="module")
def run(data: Path) -> Path:
    """The folder of a run without its images."""
    out = data.parent / "Out"
    assert main(["run", "--data", str(data), "--out", str(out), "--quiet", "--device", "cpu"]) == 0
    record = (out / "registration.json").read_text().replace(f"{data}/", f"{data}-gone/")
    (out / "registration.json").write_text(record)
    write_report(out)
    return out


def test_damaged_records(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "Out"

    def make(seed: int) -> Case:
        draw = random.Random(seed)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(run, folder)
        name = draw.choice(files_of(run)).name
        how, content = spoil((run / name).read_bytes(), Path(name).suffix, draw)
        (folder / name).write_bytes(content)
        monkeypatch.undo()
        if seed % WITH_CHARTS:
            monkeypatch.setattr("elastix_impact.report.charts.svg_of", lambda *_: "")
            monkeypatch.setattr("elastix_impact.report.page.pictures_of", lambda _: ())
        return Case(f"{name}, {how}", lambda: page(folder), str(folder))

    outcomes = run_battery(make, PAGES)
    assert outcomes["refused"] > PAGES // 5
    assert outcomes["read"] > PAGES // 5


def page(folder: Path) -> Outcome:
    """A page that is whole."""
    (folder / NAME).unlink()
    write_report(folder)
    return "read" if (folder / NAME).read_text(encoding="utf-8").rstrip().endswith("</html>") else f"{WRONG}half a page"


@pytest.fixture(scope="module")
def checkpoint(data: Path) -> bytes:
    """What a run leaves that is interrupted in the middle of its second level."""
    out = data.parent / "Interrupted"
    case = RegistrationCase(
        fixed=data / "FixedImage.mha", moving=data / "MovingImage.mha", maps=(data / "ParameterMap.txt",), out=out,
        data_folder=data, device="cpu", threads=1, checkpoint_every=1000.0,
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        run_case(case, observers=[Interrupts(1, 2)])
    return (out / WORK_NAME / FILE_NAME).read_bytes()


def test_damaged_checkpoints(checkpoint: bytes, tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(checkpoint)
    fingerprint = torch.load(path, weights_only=True)["fingerprint"]
    sound = resumed(tmp_path, fingerprint)

    def take() -> Outcome:
        return "read" if resumed(tmp_path, fingerprint) == sound else f"{WRONG}another state was read"

    def make(seed: int) -> Case:
        how, content = spoil(checkpoint, ".pt", random.Random(seed))
        path.write_bytes(content)
        return Case(how, take, str(path))

    outcomes = run_battery(make)
    assert outcomes["refused"] > CASES // 2


def resumed(folder: Path, fingerprint: dict[str, str]) -> str:
    """The state that a run would go on from, in words with every number."""
    record = RunRecord(folder, ())
    checkpoint = Checkpoint(folder, 0.0, fingerprint, record)
    assert checkpoint.resume()
    assert checkpoint.registration is not None
    torch.set_printoptions(profile="full", precision=17)
    try:
        return repr((checkpoint.registration.saved(), checkpoint.stages, record.files, record.warnings))
    finally:
        torch.set_printoptions(profile="default")
