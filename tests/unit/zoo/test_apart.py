"""Strange models in a process of their own: what they do is ended, and told in one paragraph."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from torch import nn

from elastix_impact.cli.main import main
from elastix_impact.errors import ModelError
from elastix_impact.zoo.apart import Limits, inspect_apart, verify_apart
from elastix_impact.zoo.export.mind import export_mind
from elastix_impact.zoo.export.weights import read_weights
from elastix_impact.zoo.inspect import inspect_model
from elastix_impact.zoo.verify import verify_model
from hostile_models import (
    Complex,
    LoopsForEver,
    LoopsWhenLoaded,
    Meta,
    NoChannels,
    TakesAllMemory,
    WritesWhenRun,
    save,
    save_bomb,
)
from small_case import MAP


def test_the_answer_is_the_same_as_in_this_process(tmp_path: Path) -> None:
    path = export_mind(tmp_path / "mind.pt", 1, 1, 2)
    assert inspect_apart(path) == inspect_model(path)
    assert verify_apart(path) == verify_model(path)


@pytest.mark.parametrize("action", ["inspect", "verify"])
def test_a_hostile_file_outside_the_trusted_folders_does_not_run(
    action: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "mark"
    path = save(WritesWhenRun(mark), tmp_path / "Models" / "hostile.pt")
    monkeypatch.setenv("ELASTIX_IMPACT_TRUSTED_MODELS", str(tmp_path / "trusted"))
    assert main(["models", action, str(path)]) == 2
    monkeypatch.delenv("ELASTIX_IMPACT_TRUSTED_MODELS")
    assert main(["models", action, "--trusted-models", str(tmp_path / "trusted"), str(path)]) == 2
    assert capsys.readouterr().err.count("outside the trusted folders") == 2
    assert not mark.exists()
    main(["models", action, "--trusted-models", str(path.parent), str(path)])
    assert mark.read_bytes() == b"\x01"


@pytest.mark.parametrize("kind", [LoopsForEver, LoopsWhenLoaded])
def test_an_endless_loop_is_ended_after_the_time(
    kind: type[nn.Module], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(kind(tmp_path / "mark"), tmp_path / "loop.pt")
    assert main(["models", "inspect", "--model-timeout", "6", str(path)]) == 2
    said = capsys.readouterr().err
    assert "did not come to an end within 6 s" in said
    assert "--model-timeout" in said


def test_a_model_that_takes_all_memory_is_told_from_one_that_takes_no_image(tmp_path: Path) -> None:
    path = save(TakesAllMemory(), tmp_path / "greedy.pt")
    with pytest.raises(ModelError, match=r"more than the 2\.1 GB of memory"):
        inspect_apart(path, Limits(memory=2 << 30))


def test_a_small_file_that_inflates_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = save_bomb(tmp_path / "bomb.pt", 1 << 30)
    assert path.stat().st_size < 8e6
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=r"MB that holds 1,074 MB once unpacked"):
        inspect_model(path)
    with pytest.raises(ModelError, match="holds 1,074 MB once unpacked"):
        read_weights(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Meta(), "layer 1 of the model has no values"),
        (NoChannels(), "layer 0 of the model has no channels"),
        (Complex(), "layer 0 of the model is complex"),
    ],
)
def test_layers_of_no_use_are_the_cause_that_is_told(module: nn.Module, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=said):
        inspect_model(save(module, tmp_path / "model.pt"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_process_goes_with_the_one_that_started_it(tmp_path: Path) -> None:
    path = save(LoopsForEver(tmp_path / "mark"), tmp_path / "loop.pt")
    code = f"import pathlib, elastix_impact.zoo.apart as a; a.inspect_apart(pathlib.Path({str(path)!r}))"
    parent = subprocess.Popen([sys.executable, "-c", code])
    child = _wait_for_child(parent.pid)
    while not (tmp_path / "mark").exists():
        time.sleep(0.1)
    parent.kill()
    parent.wait()
    for _ in range(50):
        if not _runs(child):
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the process went on without its parent")


def _wait_for_child(parent: int) -> int:
    for _ in range(300):
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.1)
    raise AssertionError("no process was started")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_check_looks_into_models_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(LoopsForEver(tmp_path / "mark"), tmp_path / "loop.pt")
    (tmp_path / "map.txt").write_text(MAP.replace("/Data/Models/MIND/R1D2_3D.pt", str(path)))
    assert main(["check", "--json", "--models", "--model-timeout", "5", str(tmp_path / "map.txt")]) == 2
    problems = json.loads(capsys.readouterr().out)[0]["problems"]
    assert any("did not come to an end within 5 s" in one["message"] for one in problems)
