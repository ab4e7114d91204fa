"""What is measured together has one dimension."""

import pytest
import torch

from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.judging.evaluate import Judged, evaluate
from elastix_impact.transforms.translation import TranslationTransform

GRID = Grid.axis_aligned((5, 6, 7), (1.0, 1.0, 1.0))
VOLUME = Image(torch.arange(210.0).reshape(GRID.shape), GRID, "a.mha")
FLAT = TranslationTransform(torch.zeros(2, dtype=torch.float64))
STRAIGHT = TranslationTransform(torch.zeros(3, dtype=torch.float64))
POINTS = torch.zeros(4, 2, dtype=torch.float64)


@pytest.mark.parametrize(
    ("transform", "options", "says"),
    [
        (FLAT, {"fixed": VOLUME}, r"the transform has 2 dimensions, the fixed image a\.mha has 3"),
        (FLAT, {"labels": (VOLUME, VOLUME)}, r"the transform has 2 dimensions, the fixed labels a\.mha has 3"),
        (STRAIGHT, {"fixed": VOLUME, "landmarks": (POINTS, POINTS)}, "the fixed landmarks has 2 dimensions"),
        (STRAIGHT, {"fixed": VOLUME, "initial": FLAT}, "the initial transform has 2 dimensions"),
    ],
)
def test_two_dimensions_are_refused(transform: TranslationTransform, options: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Judged(transform, **options)


def test_an_inverse_of_another_dimension_is_refused() -> None:
    with pytest.raises(InputError, match="the inverse transform has 2 dimensions, the transform has 3"):
        evaluate(Judged(STRAIGHT, fixed=VOLUME), consistency=True, back=FLAT)
