"""The demo's chest, coarse, registered by ours as itk-elastix did it (`tools/golden.py`); no ../shared."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from elastix_impact.cli.main import main
from elastix_impact.io.read_transform import read_transform
from elastix_impact.io.transform_file import read_transform_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.golden import MAPS, TARGET, landmark_error, landmarks, metric_of, write_case

GOLDEN = json.loads(TARGET.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=MAPS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    """What itk-elastix said, and the folder of our run."""
    golden, folder = GOLDEN[request.param], tmp_path_factory.mktemp("golden")
    fixed, moving = write_case(folder)
    (folder / "map.txt").write_text("\n".join(golden["map"]) + "\n")
    given = ["-f", str(fixed), "-m", str(moving), "-p", str(folder / "map.txt"), "-o", str(folder / "out")]
    assert main(["register", *given, "--quiet", "--device", "cpu"]) == 0
    return golden, folder / "out"


def test_the_map_is_the_one_that_the_values_were_made_with() -> None:
    assert {name: "\n".join(GOLDEN[name]["map"]) + "\n" for name in MAPS} == MAPS


def test_the_metric_goes_the_same_way(case: tuple[dict, Path]) -> None:
    golden, out = case
    for level, expected in enumerate(golden["metric"]):
        found = metric_of(out / f"IterationInfo.0.R{level}.txt")
        went = max(expected) - min(expected)
        assert level or found[0] == pytest.approx(expected[0], rel=2e-6), "before any step they are equal"
        np.testing.assert_allclose(found, expected, rtol=0, atol=0.1 * went)  # small differences add up, step by step


def test_the_result_is_the_same_transform(case: tuple[dict, Path]) -> None:
    golden, out = case
    record = read_transform_file(out / "TransformParameters.0.txt")
    parameters = record.transform.parameters.numpy()
    scale = np.abs(golden["parameters"]).max()
    assert np.abs(parameters - golden["parameters"]).mean() < 0.01 * scale


def test_points_go_to_the_same_places(case: tuple[dict, Path]) -> None:
    golden, out = case
    mapped = read_transform(out / "TransformParameters.0.txt").in_world().map_points(landmarks()).numpy()
    apart = np.linalg.norm(mapped - golden["mapped"], axis=1)
    assert apart.mean() < 0.1
    assert apart.max() < 0.4
    assert landmark_error(mapped) == pytest.approx(golden["tre"], abs=0.02)
    assert golden["tre"] < GOLDEN["before"] - 0.3


def test_the_resampled_image_is_the_same(case: tuple[dict, Path]) -> None:
    golden, out = case
    voxels = sitk.GetArrayFromImage(sitk.ReadImage(str(out / "result.0.mha"))).ravel()
    found = voxels[:: len(voxels) // 200]
    assert np.abs(found - golden["resampled"]).mean() < 3, "of a thousand Hounsfield units between air and tissue"
