"""Overlap and surface distances of segmentations, against what can be counted by hand."""

import pytest
import torch

from elastix_impact.evaluation.labels import Structures


def _box(*ranges: tuple[int, int], label: int = 1, shape: tuple[int, ...] = (10, 12, 14)) -> torch.Tensor:
    volume = torch.zeros(shape, dtype=torch.int64)
    volume[tuple(slice(a, b) for a, b in ranges)] = label
    return volume


def test_boxes_apart_by_a_known_shift():
    fixed = _box((2, 6), (2, 6), (2, 6))
    moved = _box((2, 6), (2, 6), (4, 8))  # 2 voxels along x
    (score,) = Structures(fixed, moved, (3.0, 1.0, 2.0)).compare(moved).scores
    assert score.dice == pytest.approx(0.5)
    assert score.hd95_mm == pytest.approx(6.0)
    assert score.fixed_volume == score.moved_volume == pytest.approx(64 * 6 / 1000)


def test_spacing_belongs_to_its_axis():
    """The same shift along z costs z's millimetres."""
    fixed, moved = _box((2, 6), (2, 6), (2, 6)), _box((3, 7), (2, 6), (2, 6))
    for spacing, distance in (((1.0, 1.0, 5.0), 5.0), ((5.0, 1.0, 1.0), 1.0)):
        assert Structures(fixed, moved, spacing).compare(moved).scores[0].hd95_mm == pytest.approx(distance)


def test_equal_segmentations_are_perfect():
    fixed = _box((2, 6), (2, 6), (2, 6)) + _box((7, 9), (7, 9), (7, 9), label=5)
    summary = Structures(fixed, fixed, (1.0, 1.0, 1.0)).compare(fixed)
    assert [score.label for score in summary.scores] == [1, 5]
    assert (summary.mean_dice, summary.mean_hd95_mm, summary.mean_assd_mm) == (1.0, 0.0, 0.0)


def test_structures_of_one_image_are_named_and_those_moved_away_score_nothing():
    fixed = _box((2, 6), (2, 6), (2, 6)) + _box((7, 9), (7, 9), (7, 9), label=5)
    moving = (
        _box((2, 6), (2, 6), (2, 6)) + _box((7, 9), (1, 2), (7, 9), label=7) + _box((0, 1), (0, 1), (0, 1), label=5)
    )
    gone = torch.where(moving == 5, 0, moving)
    summary = Structures(fixed, moving, (1.0, 1.0, 1.0)).compare(gone)
    assert summary.only_in_one == (7,)
    one, five = summary.scores
    assert (one.dice, one.hd95_mm) == (1.0, 0.0)
    assert (five.dice, five.hd95_mm, five.assd_mm, five.moved_volume) == (0.0, None, None, 0.0)
    assert summary.mean_dice == 0.5
    assert summary.mean_hd95_mm == 0.0


def test_no_common_structure():
    fixed, moving = _box((2, 6), (2, 6), (2, 6)), _box((2, 6), (2, 6), (2, 6), label=3)
    assert Structures(fixed, moving, (1.0, 1.0, 1.0)).compare(moving) is None


def test_two_dimensions_and_large_numbers():
    fixed = _box((2, 6), (2, 6), label=70000, shape=(10, 12))
    moved = _box((2, 6), (3, 7), label=70000, shape=(10, 12))
    (score,) = Structures(fixed, moved, (0.5, 2.0)).compare(moved).scores
    assert (score.label, score.hd95_mm, score.fixed_volume) == (70000, 0.5, 16.0)
    assert score.dice == pytest.approx(0.75)
