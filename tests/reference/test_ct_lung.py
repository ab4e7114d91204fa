"""Accuracy on real lung CT with known motion: at most 5 % above the reference, in Static mode the corrected one."""

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

CASES = [
    ("static_m730", "mono", (1, 2, 3)), pytest.param("static_m730", "multi", (1, 2, 3), marks=pytest.mark.slow),
    pytest.param("static_mind", "mono", (1, 2, 3), marks=pytest.mark.slow),
    pytest.param("static_mind", "multi", (1, 2, 3), marks=pytest.mark.slow),
    pytest.param("jacobian_m730", "mono", (1,), marks=pytest.mark.slow), ("jacobian_encoder", "mono", (1,)),
    pytest.param("jacobian_encoder", "multi", (1,), marks=pytest.mark.slow),
]  # fmt: skip
"""Map, moving image, seeds: one seed in Jacobian mode, of which the reference was run with one."""

MARGIN = 1.05


@pytest.fixture(scope="module")
def lung(shared):
    folder = shared / "data" / "ct_lung"
    fixed = read_image(folder / "fixed.mha")
    points = [read_points(folder / f"{role}_points.txt", None).world_points for role in ("fixed", "moving")]
    return folder, fixed, read_mask(folder / "fixed_mask.mha", fixed.grid), points


@pytest.mark.shared
@pytest.mark.parametrize(("case", "contrast", "seeds"), CASES)
def test_mean_landmark_error_is_that_of_the_reference(lung, case, contrast, seeds):
    folder, fixed, mask, (fixed_points, moving_points) = lung
    moving = read_image(folder / f"moving_{contrast}.mha")
    plan = plan_or_raise(read_parameter_map(folder / "maps" / f"{case}.txt"))
    models = folder.parents[1] / "golden"
    errors = []
    for seed in seeds:
        result = register(
            replace(plan, random_seed=seed), fixed, moving, fixed_mask=mask,
            find_model=lambda name, dimension: models / name, device=torch.device("cpu"),
        )  # fmt: skip
        errors.append(target_registration_error(result.transform, fixed_points, moving_points).mean().item())
    reference = json.loads((folder / "reference.json").read_text())[case]
    theirs = reference.get("corrected", reference)[f"tre_{contrast}"]
    assert statistics.mean(errors) <= MARGIN * statistics.mean(theirs), errors
