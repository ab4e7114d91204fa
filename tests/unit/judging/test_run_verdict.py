"""What the levels and the models of a run say to its verdict."""

from typing import Any

import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.judging.run_verdict import foreign_models, level_values
from elastix_impact.judging.verdict import reach_verdict
from elastix_impact.parameters.plan import RegistrationPlan
from elastix_impact.parameters.resolve import resolve
from elastix_impact.parameters.text import parse_parameter_text
from small_map import map_text

LEVEL: dict[str, Any] = {
    "iterations": 10, "first_metric": -1.0, "final_metric": -1.5, "samples": 2000, "valid_fraction": 0.5,
}  # fmt: skip


def test_a_metric_that_falls_and_many_samples_are_good() -> None:
    values = level_values([LEVEL])
    assert values == {"samples": 1000.0, "metric_range": 0.5, "metric_change": -50.0}
    assert reach_verdict(values).word == "good"


@pytest.mark.parametrize(
    ("changes", "check", "word"),
    [
        ({"final_metric": -0.8}, "metric_change", "look"),
        ({"final_metric": -1.0}, "metric_range", "bad"),
        ({"valid_fraction": 0.1}, "samples", "look"),
        ({"valid_fraction": 0.02}, "samples", "bad"),
    ],
)
def test_levels_that_went_wrong(changes: dict[str, float], check: str, word: str) -> None:
    verdict = reach_verdict(level_values([LEVEL | changes]))
    assert [(reason.check, reason.word) for reason in verdict.reasons] == [(check, word)]


def _images(lowest: float) -> tuple[Image, Image]:
    grid = Grid.axis_aligned((4, 4, 4), (1.0, 1.0, 1.0))
    fixed = Image(torch.linspace(-1000, 500, 64).view(grid.shape), grid, "ct.mha")
    moving = Image(torch.linspace(lowest, 500, 64).view(grid.shape), grid, "other.mha")
    return fixed, moving


def _plan(path: str) -> RegistrationPlan:
    plan = resolve(parse_parameter_text(map_text(ImpactModelsPath0=f'"{path}"'), "map.txt")).plan
    assert plan is not None
    return plan


def test_a_network_for_ct_that_is_given_an_mr_is_named() -> None:
    (found,) = foreign_models([_plan("/Data/Models/TS/M291.pt")], _images(0.0))
    assert found == "/Data/Models/TS/M291.pt for other.mha (lowest value 0)"


@pytest.mark.parametrize(("path", "lowest"), [("/Data/Models/TS/M291.pt", -1000.0), ("/Data/Models/TS/M730.pt", 0.0)])
def test_a_network_that_suits_is_not(path: str, lowest: float) -> None:
    assert foreign_models([_plan(path)], _images(lowest)) == []
