"""Transforms that can't be are refused, and a versor that is too long is mended."""

import pytest
import torch

from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Grid
from elastix_impact.transforms import affine, bspline, euler, similarity
from elastix_impact.transforms.composite import CompositeTransform

CENTRE = (-20.0, 130.0, -1490.0)


def vector(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


@pytest.mark.parametrize(
    "make",
    [
        lambda: euler.EulerTransform(torch.zeros(5), CENTRE),
        lambda: similarity.SimilarityTransform(torch.zeros(7), CENTRE[:2]),
        lambda: affine.AffineTransform(torch.zeros(6), CENTRE),
        lambda: affine.AffineLogTransform(torch.zeros(11), CENTRE),
        lambda: bspline.BSplineTransform(torch.zeros(5), Grid.axis_aligned((4, 4), (1.0, 1.0))),
    ],
)
def test_a_wrong_number_of_parameters_is_an_error(make) -> None:
    with pytest.raises(InputError, match=r"TransformParameters: .* parameters, got \d+"):
        make()


def test_transforms_of_different_dimension_do_not_compose() -> None:
    with pytest.raises(InputError, match=r"2 dimensions .* 3"):
        CompositeTransform(
            euler.EulerTransform(euler.identity_parameters(3), CENTRE),
            euler.EulerTransform(euler.identity_parameters(2), CENTRE[:2]),
        )


def test_a_versor_longer_than_one_is_brought_back() -> None:
    parameters = vector(0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 1.0)
    mapped = similarity.SimilarityTransform(parameters, (0.0, 0.0, 0.0)).map_points(vector(1.0, 2.0, 3.0)[None])
    torch.testing.assert_close(mapped[0], vector(-1.0, -2.0, 3.0), rtol=0, atol=1e-6)
