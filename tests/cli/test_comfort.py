"""Progress for programs, `doctor`, and the Tab key."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from elastix_impact.cli.main import main
from elastix_impact.diagnosis import doctor
from elastix_impact.diagnosis.gpu import CONTAINER, gpu_line
from elastix_impact.io.system_memory import FreeMemory
from small_case import write_small_case


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_small_case(tmp_path / "Data")


def _events(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_progress_in_json_lines_tells_everything(data: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "Out"
    assert main(["run", "--data", str(data), "--out", str(out), "--progress", "json"]) == 0
    events = _events(capsys.readouterr().err)  # nothing else on stderr, or this fails
    kinds = [event["event"] for event in events]
    assert kinds[0] == "stage"
    assert kinds[-1] == "end"
    assert kinds.count("level") == kinds.count("level_end") == 2
    assert [e["phase"] for e in events if e["event"] == "phase" and e["level"] == 0][-1] == "loop"
    fractions = [event["fraction"] for event in events if event["event"] == "iteration"]
    assert fractions == sorted(fractions)
    assert all(0 < fraction <= 1 for fraction in fractions)
    assert events[-1]["status"] == "complete"
    assert events[-1]["out"] == str(out)


def test_errors_and_warnings_are_json_lines_too(data: Path, tmp_path: Path, capsys) -> None:
    (data / "Fixed_labels.mha").touch()
    (data / "ParameterMap.txt").unlink()
    assert main(["run", "--data", str(data), "--out", str(tmp_path / "Out"), "--progress", "json"]) == 2
    warning, error = _events(capsys.readouterr().err)
    assert (warning["event"], error["event"]) == ("warning", "error")
    assert "Fixed_labels.mha has no partner" in warning["message"]
    assert "no parameter map" in error["message"]
    assert main(["report", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("elastix-impact: error: ")  # the next command speaks as ever


def test_no_progress(data: Path, tmp_path: Path, capsys) -> None:
    assert main(["run", "--data", str(data), "--out", str(tmp_path / "Out"), "--progress", "none"]) == 0
    assert capsys.readouterr().err == ""


def test_a_container_says_whether_it_has_a_gpu(data: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv(CONTAINER, "1")
    assert main(["run", "--data", str(data), "--out", str(tmp_path / "Out")]) == 0
    assert capsys.readouterr().err.splitlines()[0] == f"elastix-impact: {gpu_line()}"


def test_the_gpu_line_says_what_to_do(monkeypatch) -> None:
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv(CONTAINER, raising=False)
    assert "driver" in gpu_line()
    monkeypatch.setenv(CONTAINER, "1")
    assert "--gpus all" in gpu_line()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H100")

    def broken() -> None:
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr(torch.cuda, "mem_get_info", broken)
    assert "H100 is there and fails: no kernel image" in gpu_line()


def test_doctor_finds_this_machine_fit(capsys) -> None:
    assert main(["doctor", "--json"]) == 0
    findings = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert findings["registration on cpu"]["verdict"] == "ok"
    assert str(torch.__version__) in findings["versions"]["text"]
    assert {"GPU", "memory", "temporary files", "downloads", "itk-elastix"} <= set(findings)


def test_doctor_says_what_is_bad(capsys, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no kernel image is available\nmore lines")

    monkeypatch.setattr(doctor, "try_device", broken)
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    monkeypatch.setattr(doctor, "free_memory_of_system", lambda: FreeMemory(1 << 30, "by the cgroup /job"))
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "BAD   registration on cpu: fails: RuntimeError: no kernel image is available\n" in said
    assert re.search(r"BAD   temporary files: .* set TMPDIR", said)
    assert re.search(r"note  memory: free: 1.0 GiB by the cgroup /job; close programs", said)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [(["ev"], "evaluate"), (["models", "ins"], "inspect"), (["register", "--fixed-p"], "--fixed-points")],
)
def test_bash_completes(words: list[str], expected: str, tmp_path: Path, capsys) -> None:
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "completion.sh"
    script.write_text(capsys.readouterr().out, encoding="utf-8")
    line = ["elastix-impact", *words]
    code = (
        f"source {script}; COMP_WORDS=({' '.join(line)}); COMP_CWORD={len(words)};"
        "$(complete -p elastix-impact | sed 's/.*-F \\([^ ]*\\) .*/\\1/'); printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert expected in done.stdout.split()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script(shell: str, capsys) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "elastix-impact" in script
    assert "transformix" in script
