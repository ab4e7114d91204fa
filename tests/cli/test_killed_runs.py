"""A run killed by SIGKILL at random instants and continued ends in the same bytes as one that nobody disturbed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from elastix_impact.cli.main import main
from small_case import MAP, write_small_case

COMMON = {"MaximumNumberOfIterations": "60", "ImpactSubsetFeatures0": "5", "NumberOfSpatialSamples": "300"}
LINEAR = {
    "Transform": '"EulerTransform"', "AutomaticScalesEstimation": '"true"',
    "NumberOfResolutions": "1", "ImagePyramidRescaleSchedule": "2 2 2", "ImagePyramidSmoothingSchedule": "1 1 1",
    "FinalGridSpacingInPhysicalUnits": "",
}  # fmt: skip
ASGD = {"Optimizer": '"AdaptiveStochasticGradientDescent"'}
DESCENT = {"Optimizer": '"StandardGradientDescent"', "SP_a": "200.0", "SP_A": "20.0", "SP_alpha": "0.602"}
SCENARIOS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "asgd, features updated": (ASGD, ASGD | {"ImpactFeaturesMapUpdateInterval": "7"}),
    "adam, jacobian": (
        {"Optimizer": '"Adam"', "LearningRate": "0.02"},
        {
            "Optimizer": '"Adam"', "LearningRate": "0.5", "ImpactMode": '"Jacobian"', "ImpactPatchSize0": "5 5 5",
            "ImpactVoxelSize0": "2 2 2", "NumberOfSpatialSamples": "60",
        },
    ),
    "lbfgs, samples kept": (
        {"Optimizer": '"QuasiNewtonLBFGS"', "StopIfWolfeNotSatisfied": '"false"'},
        {
            "Optimizer": '"QuasiNewtonLBFGS"', "StopIfWolfeNotSatisfied": '"false"',
            "NewSamplesEveryIteration": '"false"', "ImpactSubsetFeatures0": "12",
        },
    ),
    "regular steps": (
        {"Optimizer": '"RegularStepGradientDescent"', "MaximumStepLength": "0.5", "MinimumStepLength": "1e-9"},
        {"Optimizer": '"RegularStepGradientDescent"', "MaximumStepLength": "8", "MinimumStepLength": "1e-9"},
    ),
    "descent, two metrics": (
        ASGD,
        DESCENT | {
            "Registration": '"MultiMetricMultiResolutionRegistration"',
            "Metric": '"Impact" "TransformBendingEnergyPenalty"', "Metric1Weight": "10",
            "ImpactFeaturesMapUpdateInterval": "20",
        },
    ),
}  # fmt: skip


def _map(changes: dict[str, str]) -> str:
    lines = MAP.splitlines()
    for name, value in changes.items():
        lines = [line for line in lines if not line.startswith(f"({name} ")]
        lines += [f"({name} {value})"] if value else []
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_case(tmp_path_factory.mktemp("case"))


@pytest.fixture(params=SCENARIOS)
def data(request: pytest.FixtureRequest, case: Path, tmp_path: Path) -> Path:
    """The case with a chain of two maps: a rotation, then two levels of a spline."""
    folder = tmp_path / "Data"
    folder.mkdir()
    for path in case.iterdir():
        if path.suffix == ".mha" or path.is_dir():
            (folder / path.name).symlink_to(path)
    first, second = SCENARIOS[request.param]
    (folder / "ParameterMap.txt").write_text(_map(COMMON | LINEAR | first))
    (folder / "ParameterMap.1.txt").write_text(_map(COMMON | second))
    return folder


def _words(data: Path, out: Path, *more: str) -> list[str]:
    return ["run", "--data", str(data), "--out", str(out), "--threads", "1", "--device", "cpu", *more]


def _killed(data: Path, out: Path, chance: random.Random, events: int, *more: str) -> bool:
    """Run in a process of its own, killed a moment after one of the first events; whether it had not ended before."""
    command = [sys.executable, "-m", "elastix_impact", *_words(data, out, "--progress", "json", *more)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*command, "--checkpoint-every", "0.02"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env=environment,
    )  # fmt: skip
    assert process.stderr is not None
    left = chance.randint(1, events)
    for line in process.stderr:
        left -= json.loads(line)["event"] == "phase"
        if left <= 0:
            time.sleep(chance.uniform(0.0, 0.15))
            break
    process.kill()
    process.stderr.close()
    return process.wait(60) == -signal.SIGKILL


def test_killed_twice_and_continued_twice_the_bytes_are_the_same(data: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert main(_words(data, whole, "--quiet")) == 0
    chance = random.Random(str(sorted(path.read_text() for path in data.glob("*.txt"))))
    assert _killed(data, out, chance, 11), "levels have four phases each"
    _killed(data, out, chance, 5, "--resume")
    assert main(_words(data, out, "--quiet", "--resume")) == 0
    names = sorted(path.name for path in whole.iterdir() if path.name.startswith(("TransformParameters", "result")))
    assert names == ["TransformParameters.0.txt", "TransformParameters.1.txt", "result.0.mha", "result.1.mha"]
    for name in names:
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    assert not (out / "checkpoint.pt").exists()
    assert _iterations(out) == _iterations(whole)


def _iterations(out: Path) -> dict[str, list[str]]:
    """The tables without their last column, the wall time."""
    return {
        path.name: [line.rpartition("\t")[0] for line in path.read_text().splitlines()]
        for path in sorted(out.glob("IterationInfo.*"))
    }
