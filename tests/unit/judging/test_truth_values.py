"""What landmarks and labels say to the verdict: against the start, and against earlier stages."""

import pytest
import torch

from elastix_impact.evaluation.labels import LabelScore, LabelSummary
from elastix_impact.evaluation.summary import EvaluationSummary
from elastix_impact.judging.course import Course, truth_values
from textures import shift


def _labels(**dice: float) -> EvaluationSummary:
    """One structure with this Dice at each moment; HD95 is 10 mm times what lacks to 1."""
    return EvaluationSummary(
        labels={
            moment: LabelSummary(
                (
                    LabelScore(
                        label=1, dice=value, hd95_mm=10 * (1 - value), assd_mm=None, fixed_volume=1, moved_volume=1
                    ),
                )
            )
            for moment, value in dice.items()
        }
    )


def test_landmarks_are_held_against_the_best_moment() -> None:
    points = torch.rand(20, 3, dtype=torch.float64) * 50
    course = Course(shift(5.0, 0.0, 0.0), [shift(1.0, 0.0, 0.0), shift(0.0, 3.0, 0.0)])
    values, details = truth_values(course, None, (points, points))
    assert values == {"tre_change": pytest.approx(2.0)}
    assert details["tre_change"] == "1.00 mm after stage 0, 3.00 mm now"


def test_labels_are_held_against_the_best_moment() -> None:
    course = Course(None, [shift(0.0, 0.0, 0.0)] * 2)
    values, details = truth_values(course, _labels(before=0.5, after=0.75), None)
    assert values["dice_change"] == pytest.approx(0.25)
    assert details["dice_change"] == "0.500 at the start, 0.750 now"

    values, details = truth_values(course, _labels(before=0.5, after=0.75), None, [_labels(before=0.5, after=0.875)])
    assert values["dice_change"] == pytest.approx(-0.125)
    assert values["hd95_change"] == pytest.approx(1.25)
    assert details["dice_change"] == "0.875 after an earlier stage, 0.750 now"


def test_nothing_given_says_nothing() -> None:
    assert truth_values(Course(None, [shift(0.0, 0.0, 0.0)]), None, None) == ({}, {})
