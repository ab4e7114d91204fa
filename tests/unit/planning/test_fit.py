"""A run that can't fit is refused before it starts; one that may not is warned of; the others hear nothing."""

import json
import warnings
from pathlib import Path

import pytest

from elastix_impact.cli.main import main
from elastix_impact.errors import InputError
from elastix_impact.io.system_memory import FreeMemory
from elastix_impact.io.warning import InputWarning
from elastix_impact.planning import foresee
from elastix_impact.planning.fit import check_fit
from elastix_impact.planning.forecast import GIB, Forecast, Phase
from small_case import write_small_case

NEEDED = Forecast(
    (Phase("reading", "cpu", GIB, 1.0, "Crop"), Phase("stage 0: search", "cpu", 4 * GIB, 2.0, "Make it larger"))
)


def room(gib: float) -> dict[str, FreeMemory]:
    return {"cpu": FreeMemory(int(gib * GIB), "by the cgroup /job")}


def test_what_fits_is_not_mentioned() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_fit(NEEDED, room(4))
        check_fit(NEEDED, {})


def test_what_may_not_fit_is_warned_of() -> None:
    with pytest.warns(InputWarning, match=r"stage 0: search needs about 4\.00 GiB .* 3\.10 GiB by the cgroup /job"):
        check_fit(NEEDED, room(3.1))


def test_what_can_not_fit_is_refused_with_the_setting_that_helps() -> None:
    with pytest.raises(InputError, match=r"at most 2\.90 GiB\. Make it larger\. `elastix-impact check --plan` shows"):
        check_fit(NEEDED, room(2.9))


def test_a_run_that_can_not_fit_ends_at_once(tmp_path: Path, monkeypatch, capsys) -> None:
    data, out = write_small_case(tmp_path / "Data"), tmp_path / "Out"
    monkeypatch.setattr(foresee, "free_memory_of_system", lambda: FreeMemory(0, "by the cgroup /job"))
    monkeypatch.setattr(foresee, "memory_of_process", lambda: (200 << 20, 200 << 20))
    assert main(["run", "--data", str(data), "--out", str(out), "--quiet", "--device", "cpu"]) == 2
    said = capsys.readouterr().err
    assert "needs about" in said
    assert "this process can have 0.20 GiB by the cgroup /job" in said
    record = json.loads((out / "registration.json").read_text())
    assert record["status"] == "error"
    assert record["inputs"] == {}
    assert record["forecast"]["peak_bytes"]["cpu"] > 400 << 20


def test_check_plan_prints_a_table_and_json(tmp_path: Path, capsys) -> None:
    data = write_small_case(tmp_path / "Data")
    words = ["check", str(data / "ParameterMap.txt"), "--data", str(data), "--plan", "--device", "cpu"]
    images = ["-f", str(data / "FixedImage.mha"), "-m", str(data / "MovingImage.mha")]
    assert main([*words, *images]) == 0
    said = capsys.readouterr().out
    assert "peak GiB" in said
    assert "stage 0, level 1: loop" in said
    assert main([*words, *images, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["maps"][0]["ok"]
    assert found["forecast"]["peak_bytes"]["cpu"] == max(one["bytes"] for one in found["forecast"]["phases"])
    assert main(words) == 2
    assert "--plan needs the images: -f and -m" in capsys.readouterr().err
