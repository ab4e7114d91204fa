"""Which stages the guard keeps: transforms of one texture, and of unrelated ones."""

import pytest

from elastix_impact.judging.course import Course, image_values
from elastix_impact.judging.guarding import judge_stage
from elastix_impact.judging.witness import Witness
from textures import scaled, shift, texture


@pytest.fixture(scope="module")
def witness() -> Witness:
    return Witness.of(texture(0), texture(0))


def test_a_stage_that_finds_the_truth_is_kept(witness: Witness) -> None:
    report = judge_stage(witness, shift(6.0, 0.0, 0.0), shift(0.0, 0.0, 0.0))
    assert report.kept
    found = report.to_json()
    assert found["after"]["nmi"] > 1.9 > 1.1 > found["before"]["nmi"]
    assert found["after"]["moved_seen_mm"] == pytest.approx(6.0)
    assert "1.0" in found["sentence"]


def test_a_stage_that_leaves_the_truth_is_not_kept(witness: Witness) -> None:
    report = judge_stage(witness, None, shift(0.0, 6.0, 0.0))
    assert not report.kept
    assert "an earlier stage" in report.sentence


@pytest.mark.parametrize(("factors", "words"), [((0.6, 0.7, 0.8), "scaled in volume"), ((-1.0, 1.0, 1.0), "folded")])
def test_a_stage_that_ruins_space_is_not_kept(witness: Witness, factors: tuple[float, ...], words: str) -> None:
    report = judge_stage(witness, shift(20.0, 0.0, 0.0), scaled(*factors))
    assert not report.kept
    assert words in report.sentence


def test_what_was_folded_before_is_not_held_against_a_stage(witness: Witness) -> None:
    report = judge_stage(witness, scaled(-1.0, 1.0, 1.0), scaled(-1.0, 1.0, 1.0))
    assert report.kept


def test_a_stage_before_which_nothing_was_seen_is_kept(witness: Witness) -> None:
    report = judge_stage(witness, shift(1000.0, 0.0, 0.0), None or shift(0.0, 0.0, 0.0))
    assert report.kept
    assert report.to_json()["before"]["nmi"] is None


def test_the_course_compares_with_start_and_earlier_stages(witness: Witness) -> None:
    values = image_values(witness, Course(shift(8.0, 0.0, 0.0), [shift(0.0, 0.0, 0.0), shift(0.0, 4.0, 0.0)]))
    assert values["nmi_gain"] > 1
    assert values["stage_nmi"] < 0.5
    assert values["stage_gradients"] < -0.3
    assert values["overlap"] == pytest.approx(100 * 34 / 36, abs=0.5)
    assert values["volume_scale"] == pytest.approx(1.0)


@pytest.mark.parametrize(("away", "is_told"), [(0.5, False), (1.5, True)])
def test_rigid_stages_within_a_voxel_are_not_told_apart(witness: Witness, away: float, is_told: bool) -> None:
    nearer, further = shift(0.0, 0.0, 0.0), shift(0.0, away * witness.scene.spacing, 0.0)
    values = image_values(witness, Course(shift(8.0, 0.0, 0.0), [nearer, further]))
    assert ("stage_nmi" in values) == ("stage_gradients" in values) == is_told
    assert "nmi_gain" in values
    values = image_values(witness, Course(nearer, [further]))
    assert ("nmi_gain" in values) == ("gradient_gain" in values) == is_told


def test_unrelated_images_have_no_lead() -> None:
    values = image_values(Witness.of(texture(0), texture(1)), Course(None, [shift(1.0, 0.0, 0.0)]))
    assert values["nmi_lead"] < 0.004
    assert values["gradient_lead"] < 0.03
