"""A level that folds is repeated with more bending energy."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.parameters.plan import LevelPlan, RegistrationPlan
from elastix_impact.parameters.resolve import plan_or_raise
from elastix_impact.parameters.text import parse_parameter_text
from elastix_impact.registration import repeat
from elastix_impact.registration.keep import KeepsNothing
from elastix_impact.registration.level import RegistrationTask
from elastix_impact.registration.result import LevelRecord, StopReason
from elastix_impact.registration.state import RegistrationState
from elastix_impact.transforms.translation import TranslationTransform
from small_map import map_text

START = TranslationTransform(torch.zeros(3, dtype=torch.float64))
IMAGE = Image(torch.zeros(2, 2, 2), Grid.axis_aligned((2, 2, 2), (1.0, 1.0, 1.0)))


@pytest.fixture
def plan() -> RegistrationPlan:
    text = map_text(
        Registration='"MultiMetricMultiResolutionRegistration"', Metric='"Impact" "TransformBendingEnergyPenalty"',
        Metric0Weight="1", Metric1Weight="2 3", RepeatWhileFolding='"true"',
    )  # fmt: skip
    return plan_or_raise(parse_parameter_text(text, "map.txt"), dimension=3)


def _bending(step: LevelPlan) -> float:
    return step.terms[1].weight


@dataclass
class Levels:
    """Stands for `run_level`: whether a level folds follows from its weight; which weights were tried at which."""

    folded: Callable[[float], float]
    reason: StopReason = StopReason.MAXIMUM_ITERATIONS

    def __post_init__(self) -> None:
        self.tried: list[tuple[int, float]] = []

    def __call__(self, task: RegistrationTask, state: RegistrationState) -> RegistrationState:
        weight = _bending(task.plan.levels[state.level])
        self.tried.append((state.level, weight))
        record = LevelRecord(
            level=state.level, iterations=1, stop_reason=self.reason, first_metric=1.0, final_metric=0.5,
            raw_metric_first={}, raw_metric_final={}, samples=10, valid_fraction=1.0, number_of_parameters=3,
            median_milliseconds=1.0, seconds={}, settings={}, share_folded=self.folded(weight),
        )  # fmt: skip
        return RegistrationState(
            state.level + 1, START, state.generator, (*state.records, record), None, state.stiffness
        )


def _run(monkeypatch: pytest.MonkeyPatch, plan: RegistrationPlan, levels: Levels, number: int = 1) -> RegistrationState:
    def no_model(name: str, dimension: int) -> None:
        raise AssertionError(name)

    monkeypatch.setattr(repeat, "run_level", levels)
    generator = torch.Generator()
    task = RegistrationTask(
        plan, (IMAGE, IMAGE, None, None), None, None, None, no_model, torch.device("cpu"), generator, (), KeepsNothing()
    )
    state = RegistrationState(0, START, generator.get_state())
    for _ in range(number):
        state = repeat.run_level_unfolded(task, state)
    return state


def test_the_weight_grows_until_nothing_folds_and_later_levels_keep_it(monkeypatch, plan) -> None:
    levels = Levels(lambda weight: 0.02 if weight < 10 else 0.0)
    state = _run(monkeypatch, plan, levels, 2)
    assert levels.tried == [(0, 2.0), (0, 8.0), (0, 32.0), (1, 48.0)]
    assert [record.level for record in state.records] == [0, 1]
    assert state.stiffness == 16.0
    assert "16 times what the map says; 0.00% folded" in state.records[0].notes[0]


def test_what_does_not_fold_is_not_repeated(monkeypatch, plan) -> None:
    levels = Levels(lambda weight: repeat.MOST_FOLDED)
    state = _run(monkeypatch, plan, levels)
    assert levels.tried == [(0, 2.0)]
    assert state.records[0].notes == ()


def test_repeats_end(monkeypatch, plan) -> None:
    levels = Levels(lambda weight: 0.5)
    state = _run(monkeypatch, plan, levels)
    assert levels.tried[-1] == (0, 2.0 * repeat.MOST_STIFFNESS)
    assert "50.00% folded" in state.records[0].notes[0]


@pytest.mark.parametrize("reason", [StopReason.STOPPED_BY_OBSERVER, StopReason.TOO_FEW_SAMPLES])
def test_what_was_stopped_is_not_repeated(monkeypatch, plan, reason) -> None:
    levels = Levels(lambda weight: 0.5, reason)
    _run(monkeypatch, plan, levels)
    assert levels.tried == [(0, 2.0)]
