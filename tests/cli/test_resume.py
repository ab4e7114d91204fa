"""`--resume`, `--checkpoint-every` and the signals of clusters; the same from Python."""

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import SimpleITK as sitk
import torch

import elastix_impact
from elastix_impact.errors import InputError, RegistrationFailedError
from elastix_impact.io.warning import InputWarning
from elastix_impact.registration.observe import NullObserver
from elastix_impact.registration.result import IterationRecord
from elastix_impact.resuming import checkpoint
from elastix_impact.runs.case import Case
from elastix_impact.runs.run_case import run_case
from elastix_impact.staging.staged import WORK_NAME
from elastix_impact.transforms.base import AbstractTransform
from interrupting import Interrupts


def case_of(data: Path, out: Path, **changes: object) -> Case:
    given = {
        "fixed": data / "FixedImage.mha", "moving": data / "MovingImage.mha", "maps": (data / "ParameterMap.txt",),
        "out": out, "data_folder": data, "device": "cpu", "threads": 1, "checkpoint_every": 1000.0,
    }  # fmt: skip
    return Case(**(given | changes))  # type: ignore[arg-type]


def interrupted(data: Path, out: Path, level: int = 1, iteration: int = 15) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        run_case(case_of(data, out), observers=[Interrupts(level, iteration)])
    work = out / WORK_NAME
    assert caught.value.__notes__[0] == "The same command with --resume continues the run."
    assert f"What the run had is in {work}" in caught.value.__notes__[1]
    record = json.loads((work / "registration.json").read_text())
    assert (record["status"], record["complete"]) == ("interrupted", False)
    assert (work / checkpoint.FILE_NAME).exists()


def test_ctrl_c_keeps_the_state_and_resume_goes_on_from_it(data: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    run_case(case_of(data, whole, checkpoint_every=0.0))
    interrupted(data, out)
    assert [path.name for path in out.iterdir()] == [WORK_NAME], "nothing takes its place that is not whole"
    assert "\n9\t" in (out / WORK_NAME / "IterationInfo.0.R1.txt").read_text(), "tables grow as the run goes"
    watcher = Interrupts(9, 0)
    record = run_case(case_of(data, out, resume=True), observers=[watcher])
    assert record.status == "complete"
    assert watcher.seen == [(1, iteration) for iteration in range(30)], "level 0 is not made again"
    assert (out / "TransformParameters.0.txt").read_bytes() == (whole / "TransformParameters.0.txt").read_bytes()
    assert (out / "result.0.mha").read_bytes() == (whole / "result.0.mha").read_bytes()
    assert not (out / WORK_NAME).exists(), "finished runs keep none"
    assert len(record.resumed) == 1
    assert len(record.to_json()["stages"][0]["levels"]) == 2
    log = (out / "elastix.log").read_text()
    assert log.count("Resolution: 0") == 1
    assert log.count("elastix-impact version") == 2, "the log goes on"


class InterruptsAfter(NullObserver):
    """Presses Ctrl-C after so many rows, whatever the level."""

    def __init__(self, rows: int) -> None:
        self.left = rows

    def on_iterations(self, level: int, rows: Sequence[IterationRecord], transform: AbstractTransform) -> bool:
        self.left -= len(rows)
        if self.left < 0:
            raise KeyboardInterrupt
        return False


@pytest.mark.parametrize("rows", [25, 45])
def test_a_level_that_is_repeated_because_it_folds_is_continued(rows: int, data: Path, tmp_path: Path) -> None:
    text = (data / "ParameterMap.txt").read_text()
    for old, new in (
        ('"MultiResolutionRegistration"', '"MultiMetricMultiResolutionRegistration"'),
        ('(Metric "Impact")', '(Metric "Impact" "TransformBendingEnergyPenalty")\n(Metric1Weight 0.001)'),
        ("(MaximumStepLength 1.0)", '(MaximumStepLength 24)\n(RepeatWhileFolding "true")'),
        ("PhysicalUnits 32", "PhysicalUnits 8"),
    ):
        assert old in text
        text = text.replace(old, new)
    (data / "ParameterMap.txt").write_text(text)
    whole, out = tmp_path / "whole", tmp_path / "out"
    undisturbed = run_case(case_of(data, whole))
    assert "times what the map says" in str(undisturbed.to_json()["stages"][0]["levels"])
    with pytest.raises(KeyboardInterrupt):
        run_case(case_of(data, out), observers=[InterruptsAfter(rows)])
    run_case(case_of(data, out, resume=True))
    assert (out / "TransformParameters.0.txt").read_bytes() == (whole / "TransformParameters.0.txt").read_bytes()


def _other_image(data: Path) -> dict[str, object]:
    image = sitk.ReadImage(str(data / "MovingImage.mha"))
    image[0, 0, 0] = image[0, 0, 0] + 1
    sitk.WriteImage(image, str(data / "other.mha"))
    return {"moving": data / "other.mha"}


def _other_map(data: Path) -> dict[str, object]:
    (data / "other.txt").write_text((data / "ParameterMap.txt").read_text().replace("Samples 500", "Samples 499"))
    return {"maps": (data / "other.txt",)}


def _other_model(data: Path) -> dict[str, object]:
    elastix_impact.export_mind(data / "Models" / "MIND" / "R1D2_3D.pt", 2, 2, 3)
    return {}


DIFFERENCES: dict[str, Callable[[Path], dict[str, object]]] = {
    "the moving image": _other_image,
    "the parameter maps": _other_map,
    "the models": _other_model,
    r"the random seed \(121212 then, 5 now\)": lambda _: {"seed": 5},
    r"the number of threads \(1 then, 2 now\)": lambda _: {"threads": 2},
    "the fixed mask": lambda data: {"fixed_mask": data / "FixedImage.mha"},
}


@pytest.mark.parametrize("what", DIFFERENCES)
def test_another_run_is_not_continued(what: str, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    interrupted(data, out, 0, 5)
    kept = (out / WORK_NAME / checkpoint.FILE_NAME).read_bytes()
    with pytest.raises(InputError, match=f"since its checkpoint was written {what} changed"):
        run_case(case_of(data, out, resume=True, **DIFFERENCES[what](data)))
    assert (out / WORK_NAME / checkpoint.FILE_NAME).read_bytes() == kept, "and nothing is lost"


def test_the_same_images_elsewhere_are_the_same(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    interrupted(data, out)
    sitk.WriteImage(sitk.ReadImage(str(data / "MovingImage.mha")), str(data / "moved.nrrd"))
    assert run_case(case_of(data, out, resume=True, moving=data / "moved.nrrd")).resumed


def test_without_resume_a_run_begins_anew_and_without_a_checkpoint_too(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    watcher = Interrupts(9, 0)
    run_case(case_of(data, out, resume=True), observers=[watcher])
    assert watcher.seen[0] == (0, 0)
    interrupted(data, out)
    watcher = Interrupts(9, 0)
    record = run_case(case_of(data, out, checkpoint_every=0.0), observers=[watcher])
    assert watcher.seen[0] == (0, 0)
    assert record.resumed == []
    assert not (out / WORK_NAME).exists()


def test_every_0_keeps_nothing(data: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        run_case(case_of(data, tmp_path / "out", checkpoint_every=0.0), observers=[Interrupts(1, 15)])
    assert not getattr(caught.value, "__notes__", [])
    assert not list((tmp_path / "out").rglob(checkpoint.FILE_NAME))


class Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch hacked",)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps(Runs(), 2), "format", "pickled"])
def test_a_file_that_is_no_checkpoint_is_refused_and_runs_nothing(
    content: bytes | str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    file = out / WORK_NAME / checkpoint.FILE_NAME
    file.parent.mkdir(parents=True)
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save({"format": 99} if content == "format" else Runs(), file)
    with pytest.raises(InputError, match=r"the checkpoint can't be read.*without --resume"):
        run_case(case_of(data, out, resume=True))
    assert not (tmp_path / "hacked").exists()


def test_a_failed_registration_is_not_continued(data: Path, tmp_path: Path) -> None:
    text = (data / "ParameterMap.txt").read_text()
    (data / "ParameterMap.txt").write_text(text.replace("AutomaticParameterEstimation \"true\"", "AutomaticParameterEstimation \"false\")\n(SP_a 1e9"))  # fmt: skip # noqa: E501
    record = run_case(case_of(data, tmp_path / "out"))
    assert record.status == "failed"
    assert not list((tmp_path / "out").rglob(checkpoint.FILE_NAME))


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGUSR1", 3), ("SIGINT", 130)])
def test_what_a_cluster_sends_writes_a_checkpoint_first(name: str, code: int, data: Path, tmp_path: Path) -> None:
    text = (data / "ParameterMap.txt").read_text()
    (data / "ParameterMap.txt").write_text(text.replace("Iterations 30", "Iterations 100000"))
    out = tmp_path / "out"
    words = ["run", "--data", str(data), "--out", str(out), "--threads", "1", "--progress", "json"]
    command = [sys.executable, "-m", "elastix_impact", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        iterations = (line for line in process.stderr if json.loads(line)["event"] == "iteration")
        next(iterations)
        next(iterations)
        process.send_signal(getattr(signal, name))
        said = [json.loads(line) for line in process.stderr]
        assert process.wait(60) == code
    assert "The same command with --resume continues the run." in said[-1]["message"]
    out = out / WORK_NAME
    made = torch.load(out / checkpoint.FILE_NAME, weights_only=True)["registration"]["loop"]["iteration"]
    assert made > 0
    assert json.loads((out / "registration.json").read_text())["status"] == "interrupted"


def test_from_python(data: Path, tmp_path: Path) -> None:
    pair = data / "FixedImage.mha", data / "MovingImage.mha", data / "ParameterMap.txt"
    options = {"data_folder": data, "device": "cpu", "threads": 1}

    def press(state: elastix_impact.IterationState) -> None:
        if (state.level, state.iteration) >= (1, 15):
            raise KeyboardInterrupt

    whole = elastix_impact.register(*pair, **options)
    with pytest.raises(KeyboardInterrupt):
        elastix_impact.register(*pair, out=tmp_path / "out", callback=press, **options)
    again = elastix_impact.register(*pair, out=tmp_path / "out", resume=True, **options)
    assert again.transform_file.read_bytes() == whole.transform_file.read_bytes()
    with pytest.raises(InputError, match="nothing to resume without a folder"):
        elastix_impact.register(*pair, resume=True, **options)


def test_a_failure_may_be_a_value(data: Path) -> None:
    image = sitk.ReadImage(str(data / "MovingImage.mha"))
    image.SetOrigin([value + 60 for value in image.GetOrigin()])
    text = (data / "ParameterMap.txt").read_text() + "(RequiredRatioOfValidSamples 0.9)\n"
    with pytest.warns(InputWarning, match="of the fixed image lies inside"):
        failed = elastix_impact.register(
            data / "FixedImage.mha", image, text.replace("(Metric ", "(MaximumNumberOfSamplingAttempts 0)\n(Metric "),
            data_folder=data, device="cpu", threads=1, raise_on_failure=False,
        )  # fmt: skip
    assert failed.failure is not None
    assert "Too many samples map outside" in failed.failure
    with pytest.raises(RegistrationFailedError, match="has no transform: Too many samples"):
        _ = failed.transform
