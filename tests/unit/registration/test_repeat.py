"""A level that folds is repeated with more bending energy."""

from collections.abc import Callable

import pytest
import torch

from elastix_impact.parameters.plan import LevelPlan, RegistrationPlan
from elastix_impact.parameters.resolve import plan_or_raise
from elastix_impact.parameters.text import parse_parameter_text
from elastix_impact.registration import repeat
from elastix_impact.registration.result import LevelRecord, StopReason
from elastix_impact.transforms.translation import TranslationTransform
from small_map import map_text

START = TranslationTransform(torch.zeros(3, dtype=torch.float64))


@pytest.fixture
def plan() -> RegistrationPlan:
    text = map_text(
        Registration='"MultiMetricMultiResolutionRegistration"', Metric='"Impact" "TransformBendingEnergyPenalty"',
        Metric0Weight="1", Metric1Weight="2 3", RepeatWhileFolding='"true"',
    )  # fmt: skip
    return plan_or_raise(parse_parameter_text(text, "map.txt"), dimension=3)


def _bending(step: LevelPlan) -> float:
    return step.terms[1].weight


def _run(
    monkeypatch: pytest.MonkeyPatch, plan: RegistrationPlan, level: int, folded: Callable[[float], float],
    reason: StopReason = StopReason.MAXIMUM_ITERATIONS,
) -> tuple[list[float], LevelRecord, RegistrationPlan]:  # fmt: skip
    """The weights that were tried at a level whose share folded follows from the weight, and what came back."""
    tried: list[float] = []

    def run_level(plan: RegistrationPlan, level: int, *rest: object) -> tuple[TranslationTransform, LevelRecord]:
        tried.append(_bending(plan.levels[level]))
        record = LevelRecord(
            level=level, iterations=1, stop_reason=reason, first_metric=1.0, final_metric=0.5, raw_metric_first={},
            raw_metric_final={}, samples=10, valid_fraction=1.0, number_of_parameters=3, median_milliseconds=1.0,
            seconds={}, settings={}, share_folded=folded(tried[-1]),
        )  # fmt: skip
        return START, record

    monkeypatch.setattr(repeat, "run_level", run_level)
    generator = torch.Generator()
    arguments = (None, None, None, START, None, torch.device("cpu"), generator, ())
    _, record, after = repeat.run_level_unfolded(plan, level, (), *arguments)  # type: ignore[arg-type]
    return tried, record, after


def test_the_weight_grows_until_nothing_folds_and_later_levels_keep_it(monkeypatch, plan) -> None:
    tried, record, after = _run(monkeypatch, plan, 0, lambda weight: 0.02 if weight < 10 else 0.0)
    assert tried == [2.0, 8.0, 32.0]
    assert [_bending(step) for step in after.levels] == [32.0, 48.0]
    assert len(record.notes) == 2
    assert "2.00% folded" in record.notes[0]
    assert "weight 8" in record.notes[0]


def test_what_does_not_fold_is_not_repeated(monkeypatch, plan) -> None:
    tried, record, after = _run(monkeypatch, plan, 1, lambda weight: repeat.MOST_FOLDED)
    assert tried == [3.0]
    assert record.notes == ()
    assert after is plan


def test_repeats_end(monkeypatch, plan) -> None:
    tried, record, _ = _run(monkeypatch, plan, 0, lambda weight: 0.5)
    assert len(tried) == 1 + repeat.MOST_REPEATS
    assert record.notes[-1] == f"50.00% folded, after {repeat.MOST_REPEATS} repeats."


@pytest.mark.parametrize("reason", [StopReason.STOPPED_BY_OBSERVER, StopReason.TOO_FEW_SAMPLES])
def test_what_was_stopped_is_not_repeated(monkeypatch, plan, reason) -> None:
    assert _run(monkeypatch, plan, 0, lambda weight: 0.5, reason)[0] == [2.0]
