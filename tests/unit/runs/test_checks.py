"""What is refused before anything long: dimensions, boxes that do not meet, masks that leave nothing."""

import warnings

import pytest
import torch

from elastix_impact.errors import ImageError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.runs.checks import check_masks, check_overlap
from elastix_impact.transforms.translation import TranslationTransform


def image(
    origin: tuple[float, ...] = (0.0, 0.0, 0.0), size: tuple[int, ...] = (20, 10, 10), name: str = "a.mha"
) -> Image:
    grid = Grid.axis_aligned(size, (2.0,) * len(size), origin)
    return Image(torch.zeros(grid.shape), grid, name)


def mask(first: int, last: int, name: str = "mask.mha") -> Image:
    """A mask of the x indices first to last - 1."""
    like = image()
    inside = torch.zeros(like.grid.shape, dtype=torch.bool)
    inside[..., first:last] = True
    return Image(inside, like.grid, name)


def move(x: float) -> TranslationTransform:
    return TranslationTransform(torch.tensor([x, 0.0, 0.0], dtype=torch.float64))


def test_images_apart_are_refused_with_boxes_and_distance() -> None:
    with pytest.raises(ImageError) as caught:
        check_overlap(image(), image((500.0, 0.0, 0.0), name="b.mha"), None, 0.25)
    text = str(caught.value)
    for words in ("x 0 to 38", "x 500 to 538", "500 mm apart", "b.mha", "--initial-transform"):
        assert words in text


def test_an_initial_transform_brings_them_together_or_apart() -> None:
    far = image((500.0, 0.0, 0.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_overlap(image(), far, move(500.0), 0.25)
        check_overlap(image(), image(), None, 0.25)
    with pytest.raises(ImageError, match="after the initial transform"):
        check_overlap(image(), image(), move(100.0), 0.25)


def test_little_overlap_is_a_warning_with_the_share() -> None:
    with pytest.warns(UserWarning, match=r"only 20% of the fixed image"):
        check_overlap(image(), image((32.0, 0.0, 0.0)), None, 0.25)


def test_masks_that_meet_pass() -> None:
    check_masks(image(), mask(0, 5), mask(4, 8), None)
    check_masks(image(), None, mask(4, 8), None)
    check_masks(image(), mask(0, 5), mask(10, 15), move(20.0))


@pytest.mark.parametrize(("moving_mask", "motion"), [(mask(10, 15), 0.0), (None, 200.0)])
def test_masks_that_leave_nothing_are_refused(moving_mask: Image | None, motion: float) -> None:
    with pytest.raises(ImageError, match=r"mask.mha: no voxel of the fixed mask lies inside"):
        check_masks(image(), mask(0, 5), moving_mask, move(motion))
