"""How far the results of several seeds lie apart: known transforms of one texture."""

from dataclasses import replace

import pytest
import torch

from elastix_impact.io.scale import MILLIMETRES, LengthUnit
from elastix_impact.judging.seeds import SeedRun, compare_seeds
from elastix_impact.judging.witness import Witness
from textures import GRID, scaled, shift, texture

EXTENT = 80.0
"""mm, of the texture's longest side."""


@pytest.fixture(scope="module")
def witness() -> Witness:
    return Witness.of(texture(0), texture(0))


def test_translations_lie_apart_by_their_difference(witness: Witness) -> None:
    runs = [SeedRun(7, shift(0.0, 0.0, 0.0)), SeedRun(8, shift(0.3, 0.4, 0.0)), SeedRun(9, shift(0.3, 0.4, -0.2))]
    found = compare_seeds(witness, runs, MILLIMETRES)
    apart = {one.seeds: (one.mean_mm, one.p95_mm) for one in found.distances}
    expected = {(7, 8): 0.5, (7, 9): 0.29**0.5, (8, 9): 0.2}
    assert apart == {pair: pytest.approx((length, length)) for pair, length in expected.items()}
    assert found.to_text() == "seeds 7, 8, 9: at most 0.54 mm on average, 95% 0.54, between seeds 7 and 9"
    verdict = found.verdict()
    assert verdict.word == "good"
    assert {one.check: one.value for one in verdict.checks} == {
        "seeds_disagree": pytest.approx(100 * 0.29**0.5 / EXTENT), "seeds_failed": 0.0,
    }  # fmt: skip
    record = found.to_json()
    assert (record["seeds"], record["failed"], record["pixel_mm"]) == ([7, 8, 9], {}, None)
    assert (record["mean_mm"], record["p95_mm"]) == pytest.approx((0.29**0.5,) * 2)
    assert [one["seeds"] for one in record["distances"]] == [[7, 8], [7, 9], [8, 9]]


@pytest.mark.parametrize(("millimetres", "word"), [(0.7, "good"), (1.0, "look"), (3.9, "look"), (4.1, "bad")])
def test_the_word_follows_the_share_of_the_image_s_longest_side(
    millimetres: float, word: str, witness: Witness
) -> None:
    runs = [SeedRun(1, shift(0.0, 0.0, 0.0)), SeedRun(2, shift(0.0, millimetres, 0.0))]
    verdict = compare_seeds(witness, runs, MILLIMETRES).verdict()
    assert verdict.word == word
    if word != "good":
        (reason,) = verdict.reasons
        assert f"{millimetres:.2f} mm on average, 95% {millimetres:.2f}, between seeds 1 and 2" in reason.sentence


def test_mean_and_percentile_over_places() -> None:
    image = texture(0)
    left = replace(image, data=torch.zeros(GRID.shape, dtype=torch.bool))
    left.data[:, :, :20] = True
    witness = Witness.of(image, image, moving_mask=left)
    found = compare_seeds(witness, [SeedRun(1, shift(0.0, 0.0, 0.0)), SeedRun(2, scaled(1.1, 1.0, 1.0))], MILLIMETRES)
    x = witness.scene.points[:, 0]
    apart = 0.1 * (x[x <= GRID.origin[0] + 2.0 * 19.5] - GRID.centre[0]).abs()
    (one,) = found.distances
    assert one.mean_mm == pytest.approx(float(apart.mean())), "only places that the moving mask shows"
    assert one.p95_mm == pytest.approx(float(apart.quantile(0.95)))
    assert found.places == len(apart)


def test_where_the_first_sees_nothing_all_places_count(witness: Witness) -> None:
    runs = [SeedRun(1, shift(1000.0, 0.0, 0.0)), SeedRun(2, shift(0.0, 0.0, 0.0))]
    found = compare_seeds(witness, runs, MILLIMETRES)
    assert found.places == len(witness.scene.points)
    assert found.distances[0].mean_mm == pytest.approx(1000.0)


def test_a_seed_that_failed_takes_a_look_and_says_why(witness: Witness) -> None:
    runs = [SeedRun(1, shift(0.0, 0.0, 0.0)), SeedRun(2, None, "Too many samples map outside")]
    found = compare_seeds(witness, runs, MILLIMETRES)
    assert found.to_json()["mean_mm"] is None
    assert found.to_json()["failed"] == {"2": "Too many samples map outside"}
    assert found.to_text() == "seeds 1, 2: not compared; failed: 2"
    verdict = found.verdict()
    assert [one.check for one in verdict.checks] == ["seeds_failed"]
    assert verdict.word == "look"
    assert "seed 2: Too many samples map outside" in verdict.reasons[0].sentence


def test_pictures_without_a_scale_are_told_in_pixels(witness: Witness) -> None:
    runs = [SeedRun(1, shift(0.0, 0.0, 0.0)), SeedRun(2, shift(2.0, 0.0, 0.0))]
    found = compare_seeds(witness, runs, LengthUnit("px", 0.5))
    assert "4.00 px on average" in found.to_text()
    assert "4.00 px on average" in found.verdict().reasons[0].sentence
    assert (found.to_json()["mean_mm"], found.to_json()["pixel_mm"]) == (pytest.approx(2.0), 0.5)
