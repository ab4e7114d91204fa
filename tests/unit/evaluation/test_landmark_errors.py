"""TRE against numbers worked out by hand."""

import pytest
import torch

from elastix_impact.errors import LandmarkError
from elastix_impact.evaluation.landmarks import landmark_distance, summarise, target_registration_error
from elastix_impact.transforms.translation import TranslationTransform

FIXED = torch.tensor([[0.0, 0.0, 0.0], [10.0, 0.0, -5.0]], dtype=torch.float64)


def test_distance_is_euclidean() -> None:
    moving = FIXED + torch.tensor([3.0, 4.0, 12.0], dtype=torch.float64)
    assert landmark_distance(FIXED, moving).tolist() == [13.0, 13.0]


def test_the_true_transform_has_no_error_and_its_inverse_has_twice_the_motion() -> None:
    motion = torch.tensor([1.0, 2.0, 2.0], dtype=torch.float64)
    moving = FIXED + motion
    assert target_registration_error(TranslationTransform(motion), FIXED, moving).max() == 0
    torch.testing.assert_close(
        target_registration_error(TranslationTransform(-motion), FIXED, moving),
        torch.tensor([6.0, 6.0], dtype=torch.float64),
    )


def test_summary_of_a_known_sample() -> None:
    summary = summarise(torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0]))
    assert summary.n == 5
    assert summary.mean == 2.0
    assert summary.sd == pytest.approx(2.5**0.5)
    assert summary.median == 2.0
    assert summary.p75 == 3.0
    assert summary.p95 == pytest.approx(3.8)
    assert summary.maximum == 4.0
    assert summary.share_under_2mm == pytest.approx(0.4)


def test_one_landmark_has_no_spread() -> None:
    assert summarise(torch.tensor([1.5])).sd == 0.0


@pytest.mark.parametrize("moving", [FIXED[:1], FIXED[:, :2]])
def test_unpaired_landmarks_are_refused(moving: torch.Tensor) -> None:
    with pytest.raises(LandmarkError, match="cannot be paired"):
        landmark_distance(FIXED, moving)


def test_no_landmarks_are_refused() -> None:
    with pytest.raises(LandmarkError, match="0 fixed landmarks"):
        landmark_distance(FIXED[:0], FIXED[:0])


def test_planar_landmarks_do_not_fit_a_spatial_transform() -> None:
    transform = TranslationTransform(torch.zeros(3, dtype=torch.float64))
    with pytest.raises(LandmarkError, match="2 coordinates, the transform maps 3"):
        target_registration_error(transform, FIXED[:, :2], FIXED[:, :2])
