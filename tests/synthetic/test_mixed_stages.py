"""Levels that differ in mode, models, layers and distances, and what the record of the run says of them."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastix_impact.io.images import write_image
from elastix_impact.io.points import write_points
from elastix_impact.registration.observe import NullObserver
from elastix_impact.runs.case import Case
from elastix_impact.runs.run_case import run_case
from elastix_impact.zoo.export.mind import export_mind
from phantom_pair import FIXED, MOVING, breathing, chest_pair


class Encoder(nn.Module):
    """Two layers of random convolutions, the second of half the resolution."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv3d(1, 8, 3, 1, 1), nn.Conv3d(8, 12, 3, 2, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        first = F.leaky_relu(self.first(x / 500), 0.2)
        return [first, F.leaky_relu(self.second(first), 0.2)]


STATIC_MIND = {
    "ModelsPath": '"mind.pt"', "PatchSize": "0 0 0", "VoxelSize": "5 5 5", "LayersMask": '"1"', "SubsetFeatures": "12",
    "Distance": '"L2"', "LayersWeight": "1",
}  # fmt: skip
JACOBIAN_ENCODER = {
    "ModelsPath": '"encoder.pt"', "PatchSize": "5 5 5", "VoxelSize": "4 4 4", "LayersMask": '"11"',
    "SubsetFeatures": "8 12", "Distance": '"L1" "NCC"', "LayersWeight": "1 0.5",
}  # fmt: skip
STATIC_BOTH = {
    "ModelsPath": '"mind.pt" "encoder.pt"', "PatchSize": "0 0 0 0 0 0", "VoxelSize": "5 5 5 4 4 4",
    "LayersMask": '"1" "01"', "SubsetFeatures": "6 12", "Distance": '"L1" "Cosine"', "LayersWeight": "1 2",
}  # fmt: skip
PLANS = {
    "static, then jacobian": (("Static", "Jacobian"), (STATIC_MIND, JACOBIAN_ENCODER)),
    "jacobian, then static": (("Jacobian", "Static"), (JACOBIAN_ENCODER, STATIC_BOTH)),
    "the second level as the first": (("Static", "Static"), (STATIC_BOTH, {})),
}


class ErrorAfterLevels(NullObserver):
    """The registration error in mm after each level."""

    def __init__(self, pair) -> None:
        self.pair, self.errors = pair, []

    def on_level_end(self, record, transform) -> None:
        self.errors.append(self.pair.error(transform))


@pytest.fixture(scope="module")
def pair():
    return chest_pair(torch.eye(3, dtype=torch.float64), (3.0, -2.0, 2.0), breathing)


@pytest.fixture(scope="module")
def data(pair, tmp_path_factory) -> Path:
    """The pair on disk and the two models."""
    folder = tmp_path_factory.mktemp("data")
    write_image(folder / "fixed.mha", pair.fixed.data, FIXED)
    write_image(folder / "moving.mha", pair.moving.data, MOVING)
    write_image(folder / "mask.mha", pair.mask.data.float(), FIXED, pixel_type="unsigned char")
    write_points(folder / "fixed.txt", pair.landmarks)
    write_points(folder / "moving.txt", pair.truth)
    export_mind(folder / "mind.pt", radius=1, dilation=1, dimension=3)
    torch.jit.script(Encoder()).save(str(folder / "encoder.pt"))
    return folder


def _write_map(path: Path, modes: tuple[str, ...], levels: tuple[dict[str, str], ...]) -> Path:
    numbered = [
        f"(Impact{stem}{k} {value})"
        for k, level in enumerate(levels)
        for stem, value in (level | ({"Dimension": "3", "NumberOfChannels": "1", "PCA": "0"} if level else {})).items()
    ]
    path.write_text(
        f"""(Registration "MultiResolutionRegistration")
(NumberOfResolutions {len(levels)})
(FixedImagePyramid "FixedGenericImagePyramid")
(MovingImagePyramid "MovingGenericImagePyramid")
(ImagePyramidRescaleSchedule {"1 1 1 " * len(levels)})
(ImagePyramidSmoothingSchedule {"1 1 1 " * len(levels)})
(Interpolator "LinearInterpolator")
(Transform "RecursiveBSplineTransform")
(FinalGridSpacingInPhysicalUnits 32)
(GridSpacingSchedule 2 1)
(HowToCombineTransforms "Compose")
(Optimizer "AdaptiveStochasticGradientDescent")
(MaximumNumberOfIterations 60)
(AutomaticParameterEstimation "true")
(ImageSampler "RandomCoordinate")
(NumberOfSpatialSamples 500)
(NewSamplesEveryIteration "true")
(WriteResultImage "false")
(Metric "Impact")
(ImpactMode {" ".join(f'"{mode}"' for mode in modes)})
(ImpactFeatureInterpolationOrder 1)
{chr(10).join(numbered)}
"""
    )
    return path


def _run(name: str, pair, data: Path, folder: Path):
    observer = ErrorAfterLevels(pair)
    case = Case(
        fixed=data / "fixed.mha", moving=data / "moving.mha", fixed_mask=data / "mask.mha",
        fixed_points=data / "fixed.txt", moving_points=data / "moving.txt", threads=2, out=folder / "out",
        maps=(_write_map(data / f"{name}.txt", *PLANS[name]),),
    )  # fmt: skip
    record = run_case(case, observers=[observer])
    assert record.status == "complete"
    return observer.errors, json.loads((folder / "out" / "registration.json").read_text())


@pytest.fixture(scope="module")
def static_then_jacobian(pair, data, tmp_path_factory):
    return _run("static, then jacobian", pair, data, tmp_path_factory.mktemp("mixed"))


@pytest.mark.parametrize("name", ["jacobian, then static", "the second level as the first"])
def test_every_level_registers(name, pair, data, tmp_path):
    errors, record = _run(name, pair, data, tmp_path)
    before, after = (record["landmarks_mm"][when]["mean"] for when in ("before", "after"))
    assert before == pytest.approx(pair.error_before, abs=1e-3)
    assert after == pytest.approx(errors[-1], abs=1e-3)
    assert max(errors) < 0.22 * before


def test_a_fine_jacobian_level_improves_on_a_coarse_static_one(static_then_jacobian):
    errors, _ = static_then_jacobian
    assert errors[1] < 0.85 * errors[0]


def test_the_record_says_what_each_level_did(static_then_jacobian):
    _, record = static_then_jacobian
    (stage,) = record["stages"]
    metrics = [level["terms"][0]["metric"] for level in stage["plan"]["levels"]]
    assert [metric["mode"] for metric in metrics] == ["Static", "Jacobian"]
    for side in ("fixed_models", "moving_models"):
        assert [[Path(m["path"]).name for m in metric[side]] for metric in metrics] == [["mind.pt"], ["encoder.pt"]]
    assert [[layer["distance"] for layer in metric["layers"]] for metric in metrics] == [["L2"], ["L1", "NCC"]]
    assert [metric["fixed_models"][0]["patch_size"] for metric in metrics] == [[0, 0, 0], [5, 5, 5]]
    raw = [list(level["raw_metric_final"]) for level in stage["levels"]]
    assert raw == [["L2 layer 0"], ["L1 layer 0", "NCC layer 1"]]


def test_a_level_that_is_not_given_has_the_first_ones_models(pair, data, tmp_path):
    _, record = _run("the second level as the first", pair, data, tmp_path)
    first, second = (level["terms"][0]["metric"] for level in record["stages"][0]["plan"]["levels"])
    assert first == second
    assert [Path(model["path"]).name for model in second["moving_models"]] == ["mind.pt", "encoder.pt"]
