"""Where samples are drawn when both images must see a place."""

import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.io.warning import InputWarning
from elastix_impact.registration.both_see import MOST_MARGIN, FieldsOfView, margin, where_both_see
from elastix_impact.registration.build import LevelImages
from elastix_impact.transforms.translation import TranslationTransform

FIXED = Grid.axis_aligned((40, 30, 20), (2.0, 2.0, 2.0))
MOVING = Grid.axis_aligned((20, 30, 20), (2.0, 2.0, 2.0))
NOWHERE_PADDED = FieldsOfView(None, None)


def _image(grid: Grid) -> Image:
    return Image(torch.randn(grid.shape, generator=torch.Generator().manual_seed(0)), grid)


def _shift(x: float) -> TranslationTransform:
    return TranslationTransform(torch.tensor([x, 0.0, 0.0]))


def _region(x: float, views: FieldsOfView = NOWHERE_PADDED, mask: torch.Tensor | None = None, moving_mask=None):
    images = LevelImages(_image(FIXED), _image(MOVING), mask, None, moving_mask)
    return where_both_see({"": images}, views, _shift(x))[""].sampling_mask


def test_samples_begin_a_margin_inside_the_moving_box_as_the_transform_maps_it() -> None:
    cut = round(margin(MOVING) / 2)
    for voxels in (0, -5):
        found = _region(2.0 * voxels)
        expected = torch.zeros(FIXED.shape, dtype=torch.bool)
        expected[cut : 20 - cut, cut : 30 - cut, cut - voxels : 20 - cut - voxels] = True
        assert torch.equal(found, expected)


def test_padding_and_masks_are_left_out() -> None:
    seen = torch.ones(FIXED.shape, dtype=torch.bool)
    seen[:, :15] = False
    seen_moving = torch.ones(MOVING.shape, dtype=torch.bool)
    seen_moving[..., 12:] = False
    views = FieldsOfView(Image(seen, FIXED), Image(seen_moving, MOVING))
    mask = torch.ones(FIXED.shape, dtype=torch.bool)
    mask[10:] = False
    moving_mask = torch.ones(MOVING.shape, dtype=torch.bool)
    moving_mask[..., :6] = False
    found = _region(0.0, views, mask, Image(moving_mask, MOVING))
    assert found.any()
    assert torch.equal(found.any(dim=(1, 2)).nonzero().squeeze(1), torch.arange(2, 10))
    assert torch.equal(found.any(dim=(0, 2)).nonzero().squeeze(1), torch.arange(15, 28))
    assert torch.equal(found.any(dim=(0, 1)).nonzero().squeeze(1), torch.arange(6, 12))


def test_images_that_see_nothing_in_common_are_sampled_everywhere_with_a_warning() -> None:
    with pytest.warns(InputWarning, match="hardly see a common place"):
        assert _region(500.0) is None


def test_large_images_are_looked_at_in_blocks() -> None:
    """Beyond `MOST_POINTS` the region is right up to a block of voxels."""
    fixed = Grid.axis_aligned((160, 150, 140), (1.0, 1.0, 1.0))
    images = LevelImages(Image(torch.zeros(fixed.shape), fixed), _image(MOVING), None, None, None)
    found = where_both_see({"": images}, NOWHERE_PADDED, _shift(0.0))[""].sampling_mask
    assert found is not None
    expected = torch.zeros(fixed.shape, dtype=torch.bool)
    cut = round(margin(MOVING) / 2) * 2
    expected[cut : 39 - cut, cut : 59 - cut, cut : 39 - cut] = True
    assert (found & expected).sum() > 0.8 * expected.sum()
    assert (found & ~expected).sum() < 0.25 * expected.sum()


def test_the_margin_is_less_in_small_images() -> None:
    assert margin(MOVING) == pytest.approx(0.08 * 40)
    assert margin(Grid.axis_aligned((100, 100, 100), (2.0, 2.0, 2.0))) == MOST_MARGIN
