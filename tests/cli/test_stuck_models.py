"""Runs with models that never come back, and with models that are known to be of no use before anything runs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from torch import nn

from elastix_impact.cli.main import main
from elastix_impact.staging.earlier import record_of
from hostile_models import Constant, LoopsForEver, LoopsWhenLoaded, Meta, save
from small_case import MAP


def _map_with(data: Path, module: nn.Module, **values: str) -> Path:
    """The case's map, with this model and these values."""
    path = save(module, data / "Models" / "strange.pt")
    text = MAP.replace("/Data/Models/MIND/R1D2_3D.pt", str(path)).replace("SubsetFeatures0 12", "SubsetFeatures0 1")
    for name, value in values.items():
        text = (
            "\n".join(line for line in text.splitlines() if not line.startswith(f"({name} ")) + f"\n({name} {value})\n"
        )
    (data / "ParameterMap.txt").write_text(text)
    return data / "ParameterMap.txt"


@pytest.mark.skipif(os.name != "posix", reason="no such signals")
@pytest.mark.parametrize(
    ("kind", "number", "code"),
    [
        ("in the trial", signal.SIGTERM, 128 + signal.SIGTERM),
        ("in the run", signal.SIGTERM, 128 + signal.SIGTERM),
        ("in the run", signal.SIGINT, 128 + signal.SIGINT),
        ("when loaded", signal.SIGTERM, -signal.SIGTERM),
    ],
)
def test_a_signal_ends_a_run_whose_model_loops(data: Path, tmp_path: Path, kind: str, number: int, code: int) -> None:
    mark, out = tmp_path / "mark", tmp_path / "Out"
    loops = LoopsForEver(mark, passes_trials=kind == "in the run")
    _map_with(data, LoopsWhenLoaded(mark) if kind == "when loaded" else loops)
    command = [sys.executable, "-m", "elastix_impact", "run", "--data", str(data), "--out", str(out), "--quiet"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not mark.exists():
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(number)
        began = time.monotonic()
        try:
            assert process.wait(60) == code
        finally:
            process.kill()
        assert time.monotonic() - began < 20
        assert process.stderr is not None
        said = process.stderr.read()
    assert "Traceback" not in said
    assert (f"ended by {signal.Signals(number).name}" in said) == (code > 0)
    assert record_of(out / "unfinished-run")["complete"] is False


def test_a_model_that_loops_ends_the_run_before_the_first_stage(data: Path, tmp_path: Path) -> None:
    _map_with(data, LoopsForEver(tmp_path / "mark"))
    command = [sys.executable, "-m", "elastix_impact", "run", "--data", str(data), "--out", str(tmp_path / "Out")]
    done = subprocess.run(
        [*command, "--quiet", "--model-timeout", "3"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert "the models did not come to an end within 3 s" in done.stderr
    assert record_of(tmp_path / "Out" / "unfinished-run")["complete"] is False


def test_the_time_limit_holds_while_a_model_loops(data: Path, tmp_path: Path) -> None:
    _map_with(data, LoopsForEver(tmp_path / "mark", passes_trials=True))
    command = [sys.executable, "-m", "elastix_impact", "run", "--data", str(data), "--out", str(tmp_path / "Out")]
    done = subprocess.run(
        [*command, "--quiet", "--time-limit", "20"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 3
    assert "ended by SIGALRM" in done.stderr


@pytest.mark.parametrize(
    ("module", "mask", "said"),
    [
        (Constant(), '"11"', "the model returned 1 layers, the layers mask has 2 characters"),
        (Constant(), '"1"', "is the same whatever the image shows"),
        (Meta(), '"01"', "layer 1 of the model has no values"),
    ],
)
def test_a_useless_model_of_a_later_stage_is_known_before_the_first_runs(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], module: nn.Module, mask: str, said: str
) -> None:
    first = tmp_path / "first.txt"
    first.write_text((data / "ParameterMap.txt").read_text().replace("/Data/", f"{data}/"))
    second = _map_with(data, module, ImpactLayersMask0=mask)
    images = ["-f", str(data / "FixedImage.mha"), "-m", str(data / "MovingImage.mha")]
    words = ["register", "--quiet", *images, "-p", str(first), "-p", str(second), "-o", str(tmp_path / "Out")]
    assert main(words) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert "Traceback" not in printed
    assert not list((tmp_path / "Out").glob("TransformParameters*"))
    assert not list((tmp_path / "Out").glob("IterationInfo*"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ResultImageName", "../../x"),
        ("ResultImageName", "/tmp/elastix-impact-x"),
        ("ResultImageName", "link/x"),
        ("ImpactFeatureMapOutputDirectory", "/tmp/elastix-impact-features"),
        ("ImpactFeatureMapOutputDirectory", "../features"),
    ],
)
def test_a_map_that_came_with_data_writes_into_its_folder_only(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    path, out = data / "ParameterMap.txt", tmp_path / "Out"
    text = path.read_text().replace("/Data/", f"{data}/")
    path.write_text(text + f'({name} "{value}")\n')
    if "link" in value:
        out.mkdir()
        (out / "link").symlink_to(tmp_path)
    before = set(tmp_path.rglob("*"))
    assert main(["run", "--data", str(data), "--out", str(out), "--quiet"]) == 2
    said = capsys.readouterr().err
    assert f'{path}:{len(text.splitlines()) + 1}: {name} "{value}" would write outside the output folder' in said
    assert "--allow-outside" in said
    images = ["-f", str(data / "FixedImage.mha"), "-m", str(data / "MovingImage.mha")]
    assert main(["register", "--quiet", *images, "-p", str(path), "-o", str(out)]) == 2
    assert set(tmp_path.rglob("*")) == before
    out.mkdir(exist_ok=True)
    assert main(["elastix", *images, "-p", str(path), "-out", str(out)]) == 1


@pytest.mark.parametrize("command", ["register", "elastix"])
def test_whoever_names_the_map_may_allow_other_places(data: Path, tmp_path: Path, command: str) -> None:
    path, out, features = data / "ParameterMap.txt", tmp_path / "Out", tmp_path / "features"
    text = path.read_text().replace("/Data/", f"{data}/")
    path.write_text(text + f'(ResultImageName "../x")\n(ImpactFeatureMapOutputDirectory "{features}")\n')
    out.mkdir()
    images = ["-f", str(data / "FixedImage.mha"), "-m", str(data / "MovingImage.mha"), "-p", str(path)]
    folder = ["-o" if command == "register" else "-out", str(out)]
    assert main([command, "--allow-outside", *images, *folder]) == 0
    assert (tmp_path / "x.0.mha").is_file()
    assert list(features.iterdir())
    assert main([command, *images, *folder]) == (2 if command == "register" else 1)
