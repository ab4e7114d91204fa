"""The guard in a run: what becomes of a stage that tears the image apart, of one that helps, and of maps without it."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from elastix_impact.io.read_transform import read_initial_transform
from elastix_impact.runs.case import Case
from elastix_impact.runs.run_case import run_case
from small_case import MAP, world_points, write_small_case

GUARD = '(GuardStages "true")\n'
RUIN = MAP.replace("Length 1.0", "Length 40").replace("Iterations 40", "Iterations 10")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose second stage tears the image apart."""
    data = write_small_case(tmp_path_factory.mktemp("case"))
    (data / "0.txt").write_text(MAP + GUARD)
    (data / "1.txt").write_text(RUIN + GUARD + "(RequiredRatioOfValidSamples 0)\n")
    case = Case(
        fixed=data / "FixedImage.mha", moving=data / "MovingImage.mha", maps=(data / "0.txt", data / "1.txt"),
        out=data / "Out", data_folder=data, threads=2,
    )  # fmt: skip
    assert run_case(case).status == "complete"
    return data / "Out"


@pytest.fixture(scope="module")
def record(out: Path) -> dict:
    return json.loads((out / "registration.json").read_text())


def test_the_record_holds_both_with_their_numbers(record: dict) -> None:
    kept, rejected = (stage["guard"] for stage in record["stages"])
    assert kept["kept"] is True
    assert kept["after"]["nmi"] > kept["before"]["nmi"]
    assert rejected["kept"] is False
    assert rejected["before"]["nmi"] > rejected["after"]["nmi"]
    assert rejected["before"]["bending_mm"] < rejected["after"]["bending_mm"]
    assert rejected["sentence"].startswith("the stage is not kept, because ")


def test_it_is_said_in_one_sentence(out: Path, record: dict) -> None:
    (text,) = [text for text in record["warnings"] if "the stage is not kept" in text]
    assert text.startswith("stage 1 (")
    assert text in (out / "elastix.log").read_text()
    assert [reason["check"] for reason in record["verdict"]["reasons"]] == ["stages_rejected"]
    assert record["verdict"]["word"] == "look"


def test_the_last_file_of_the_chain_is_the_transform_that_was_kept(out: Path) -> None:
    points = np.ascontiguousarray(world_points().reshape(-1, 3)[::97])
    first, last, rejected = (
        read_initial_transform(out / f"TransformParameters.{name}.txt").map_points(torch.from_numpy(points))
        for name in ("0", "1", "1.rejected")
    )
    assert torch.equal(first, last)
    assert (rejected - first).norm(dim=1).max() > 5
    assert (
        '(InitialTransformParameterFileName "TransformParameters.0.txt")'
        in (out / "TransformParameters.1.txt").read_text()
    )


def test_the_result_image_is_that_of_the_transform_that_was_kept(out: Path) -> None:
    first, last = (sitk.GetArrayFromImage(sitk.ReadImage(str(out / f"result.{number}.mha"))) for number in (0, 1))
    assert np.abs(first.astype(int) - last).max() <= 1


def test_maps_without_it_are_not_guarded(tmp_path: Path) -> None:
    data = write_small_case(tmp_path)
    (data / "0.txt").write_text(RUIN + "(RequiredRatioOfValidSamples 0)\n")
    case = Case(
        fixed=data / "FixedImage.mha", moving=data / "MovingImage.mha", maps=(data / "0.txt",), out=data / "Out",
        data_folder=data, threads=2,
    )  # fmt: skip
    record = run_case(case)
    assert "guard" not in record.to_json()["stages"][0]
    assert not (data / "Out" / "TransformParameters.0.rejected.txt").exists()
    assert record.is_bad
