"""The demo: makes its case, registers it and brings the landmarks closer, without any download."""

import json
from pathlib import Path

from elastix_impact.cli.main import main


def test_the_demo_brings_the_landmarks_closer(tmp_path: Path, capsys) -> None:
    assert main(["demo", str(tmp_path), "--quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("verdict: good - ")
    lines = lines[2:]
    assert lines[1].startswith("before")
    assert lines[2].startswith("after")
    record = json.loads((tmp_path / "Out" / "registration.json").read_text())
    assert record["landmarks_mm"]["after"]["mean"] < 0.5 * record["landmarks_mm"]["before"]["mean"]


def test_a_demo_that_can_not_be_written_says_so(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("")
    assert main(["demo", str(tmp_path / "file")]) == 2
    assert "file" in capsys.readouterr().err
