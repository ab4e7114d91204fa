"""Accuracy on real lung CT with known motion: at most 5 % above the corrected reference, over three seeds."""

import json
import statistics
from dataclasses import replace

import pytest
import torch

from elastix_impact.evaluation.landmarks import target_registration_error
from elastix_impact.io.images import read_image
from elastix_impact.io.masks import read_mask
from elastix_impact.io.points import read_points
from elastix_impact.parameters.resolve import plan_or_raise
from elastix_impact.parameters.text import read_parameter_map
from elastix_impact.registration.register import register

SEEDS = (1, 2, 3)
MARGIN = 1.05


@pytest.fixture(scope="module")
def lung(shared):
    folder = shared / "data" / "ct_lung"
    fixed = read_image(folder / "fixed.mha")
    points = [read_points(folder / f"{role}_points.txt", None).world_points for role in ("fixed", "moving")]
    return folder, fixed, read_mask(folder / "fixed_mask.mha", fixed.grid), points


@pytest.mark.shared
@pytest.mark.parametrize("case", ["static_m730", "static_mind"])
@pytest.mark.parametrize("contrast", ["mono", "multi"])
def test_mean_landmark_error_is_that_of_the_corrected_reference(lung, case, contrast):
    folder, fixed, mask, (fixed_points, moving_points) = lung
    moving = read_image(folder / f"moving_{contrast}.mha")
    plan = plan_or_raise(read_parameter_map(folder / "maps" / f"{case}.txt"))
    models = folder.parents[1] / "golden"
    errors = []
    for seed in SEEDS:
        result = register(
            replace(plan, random_seed=seed), fixed, moving, fixed_mask=mask,
            find_model=lambda name, dimension: models / name, device=torch.device("cpu"),
        )  # fmt: skip
        errors.append(target_registration_error(result.transform, fixed_points, moving_points).mean().item())
    reference = json.loads((folder / "reference.json").read_text())[case]["corrected"][f"tre_{contrast}"]
    assert statistics.mean(errors) <= MARGIN * statistics.mean(reference), errors
