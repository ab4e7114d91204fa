"""A forecast before the run: its phases, what it depends on, and that two phantoms take what it says."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from elastix_impact.io.system_memory import FreeMemory
from elastix_impact.parameters.presets import PRESETS
from elastix_impact.planning.forecast import Forecast
from elastix_impact.planning.foresee import foresee
from elastix_impact.planning.pair import PairSizes
from elastix_impact.planning.run import ForecastRequest, forecast
from elastix_impact.runs.plans import CasePlan, plan_case, resolve_for
from elastix_impact.runs.presets import facts_of, write_preset
from measured_run import run_measured
from small_case import write_small_case, write_small_labels

LARGE = """\
(Transform "AffineTransform")
(Metric "AdvancedMeanSquares")
(Optimizer "RegularStepGradientDescent")
(MaximumNumberOfIterations 3)
(NumberOfResolutions 1)
(FixedImagePyramid "FixedSmoothingImagePyramid")
(MovingImagePyramid "MovingSmoothingImagePyramid")
(ImageSampler "RandomCoordinate")
(NumberOfSpatialSamples 500)
(ResampleInterpolator "FinalBSplineInterpolator")
(FinalBSplineInterpolationOrder 3)
(ResultImageFormat "mha")
(ResultImagePixelType "short")
"""


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_small_case(tmp_path_factory.mktemp("case"))
    write_small_labels(folder)
    return folder


def request_of(case: Path, preset: str, **changes: object) -> ForecastRequest:
    """What is asked for the case with a preset."""
    plan = plan_of(case, preset)
    pair = PairSizes.of({"fixed image": case / "FixedImage.mha", "moving image": case / "MovingImage.mha"})
    made = ForecastRequest(plan.stages, plan.finders, [torch.device("cpu")] * len(plan.stages), pair)
    return replace(made, **changes)


def plan_of(case: Path, preset: str) -> CasePlan:
    facts = facts_of(case / "FixedImage.mha", case / "MovingImage.mha")
    return resolve_for(plan_case(write_preset(PRESETS[preset], facts, case / preset), None, None), 3)


def peaks(made: Forecast) -> dict[str, int]:
    return {phase.name: phase.bytes for phase in made.phases}


def test_phases_come_in_order(case: Path) -> None:
    names = [phase.name for phase in forecast(request_of(case, "rigid")).phases]
    assert names[0] == "reading"
    assert names[1:4] == ["stage 0: fields of view", "stage 0: search", "stage 0, level 0: features"]
    assert names[-3:] == ["stage 1: result image", "stage 1: evaluation", "verdict"]


def test_nothing_is_searched_with_an_initial_transform(case: Path) -> None:
    made = forecast(request_of(case, "rigid", has_initial=True))
    assert "stage 0: search" not in peaks(made)


def test_labels_cost_reading_and_evaluation(case: Path) -> None:
    request = request_of(case, "rigid")
    labelled = replace(request.pair, fixed_labels=request.pair.fixed, moving_labels=request.pair.moving)
    less, more = (peaks(forecast(replace(request, pair=pair))) for pair in (request.pair, labelled))
    assert more["stage 0: evaluation"] > less["stage 0: evaluation"]
    assert more["stage 0, level 0: loop"] > less["stage 0, level 0: loop"]


def test_features_grow_with_the_image(case: Path) -> None:
    request = request_of(case, "general")
    grid = request.pair.fixed.grid
    larger = replace(request.pair.fixed, grid=replace(grid, size=tuple(4 * n for n in grid.size)))
    pair = replace(request.pair, fixed=larger, moving=larger)
    name = "stage 2, level 2: features"
    less, more = (peaks(forecast(replace(request, pair=one)))[name] for one in (request.pair, pair))
    voxels = larger.voxels - request.pair.fixed.voxels
    assert more - less > 2 * 12 * 4 * voxels  # two maps of MIND's twelve channels, float32


def test_a_model_that_is_missing_is_told(case: Path) -> None:
    def find(path: str, dimension: int) -> Path:
        return case / "none.pt"

    made = forecast(request_of(case, "general", finders=[find] * 3))
    assert made.notes == ("MIND/R1D2_3D.pt could not be tried: its memory and time are not counted",)


def test_where_memory_is_short_models_work_in_tiles(case: Path) -> None:
    request = request_of(case, "general")
    room = {"cpu": FreeMemory(0, "of the machine")}
    grid = request.pair.fixed.grid
    large = replace(request.pair.fixed, grid=replace(grid, size=(300, 300, 300)))
    request = replace(request, pair=PairSizes(large, large))
    whole, tiled = forecast(request), forecast(replace(request, room=room))
    assert whole.notes == ()
    assert tiled.notes == ("memory is short: images go through MIND/R1D2_3D.pt in tiles",)
    assert peaks(tiled)["stage 2, level 2: features"] < peaks(whole)["stage 2, level 2: features"]


def test_pytorchs_random_numbers_are_left_alone(case: Path) -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    forecast(request_of(case, "inter-subject"))
    assert torch.equal(before, torch.random.get_rng_state())


def test_no_voxel_is_read(case: Path, tmp_path: Path) -> None:
    """The header of a file that is cut off behind it is enough."""
    whole = (case / "FixedImage.mha").read_bytes()
    (tmp_path / "cut.mha").write_bytes(whole[: whole.index(b"LOCAL") + 6])
    files = {"fixed image": tmp_path / "cut.mha", "moving image": tmp_path / "cut.mha"}
    plan = plan_of(case, "rigid")
    pair, device = PairSizes.of(files), torch.device("cpu")
    made, room = foresee(pair, plan.stages, plan.finders, [device], initial=False, evaluation=False)
    assert made.largest() is not None
    assert made.seconds > 0
    assert set(room) <= {"cpu"}


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries' own memory was measured on Linux")
def test_a_small_phantom_takes_what_was_foreseen(case: Path, tmp_path: Path) -> None:
    run = run_measured(
        tmp_path / "out", "register", "-f", str(case / "FixedImage.mha"), "-m", str(case / "MovingImage.mha"),
        "-p", str(case / "ParameterMap.txt"), "--data", str(case),
        "--fixed-labels", str(case / "Fixed_labels.nii.gz"), "--moving-labels", str(case / "Moving_labels.nii.gz"),
    )  # fmt: skip
    assert abs(run.foreseen - run.measured) < 0.25 * run.measured, run


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries' own memory was measured on Linux")
def test_a_large_phantom_takes_what_was_foreseen(tmp_path: Path) -> None:
    axes = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in (150, 160, 170)), indexing="ij")
    for name, shift in (("fixed", 0.0), ("moving", 0.02)):
        values = 1000 * np.exp(-8 * sum((axis - shift) ** 2 for axis in axes))
        sitk.WriteImage(sitk.GetImageFromArray(values.astype(np.int16)), str(tmp_path / f"{name}.mha"))
    (tmp_path / "map.txt").write_text(LARGE)
    words = ("-f", str(tmp_path / "fixed.mha"), "-m", str(tmp_path / "moving.mha"), "-p", str(tmp_path / "map.txt"))
    run = run_measured(tmp_path / "out", "register", *words, "--no-evaluation")
    assert abs(run.foreseen - run.measured) < 0.25 * run.measured, run
    assert run.measured > 500 << 20
