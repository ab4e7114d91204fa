"""Windows: a CT is told by its values and gets a named one by what is in view, others robust extremes."""

import pytest
import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.report.windows import BONE, LUNG, SOFT_TISSUE, ct_window, is_hounsfield, windows_of

GRID = Grid.axis_aligned((20, 20, 20), (1.0, 1.0, 1.0))


def _image(*parts: tuple[float, float]) -> Image:
    """An image with these values in these shares, and a little noise."""
    counts = [round(share * 8000) for _, share in parts]
    values = torch.cat([torch.full((count,), value) for (value, _), count in zip(parts, counts)])
    noise = torch.randn(8000, generator=torch.Generator().manual_seed(0))
    return Image((values + 10 * noise).reshape(20, 20, 20), GRID)


CHEST = _image((-1000, 0.3), (-800, 0.35), (40, 0.3), (600, 0.05))
ABDOMEN = _image((-1000, 0.4), (-100, 0.2), (50, 0.35), (500, 0.05))
KNEE = _image((-1000, 0.4), (40, 0.3), (700, 0.3))
MR = _image((0, 0.5), (300, 0.3), (900, 0.2))


@pytest.mark.parametrize(
    ("image", "expected"), [(CHEST, LUNG), (ABDOMEN, SOFT_TISSUE), (KNEE, BONE)], ids=["chest", "abdomen", "knee"]
)
def test_a_ct_gets_the_window_of_what_is_in_view(image: Image, expected: object) -> None:
    windows = windows_of((image, MR), ([image.data], [MR.data]))
    assert windows[0] == expected
    assert not windows[1].is_hounsfield


def test_the_window_is_of_the_slices_shown_not_of_the_whole_image() -> None:
    bone = torch.full((100,), 700.0)
    assert windows_of((ABDOMEN, ABDOMEN), ([bone], [bone]))[0] == BONE


def test_two_ct_images_share_one_window() -> None:
    assert windows_of((CHEST, ABDOMEN), ([CHEST.data], [ABDOMEN.data])) == (LUNG, LUNG)


@pytest.mark.parametrize("values", [MR.data, ABDOMEN.data + 1024, ABDOMEN.data / 1000, -MR.data])
def test_what_is_no_ct_is_not_taken_for_one(values: Tensor) -> None:
    assert not is_hounsfield(Image(values, GRID))


def test_words_name_width_and_level() -> None:
    assert LUNG.words == "CT, lung window, width 1500, level -600 HU"
    assert SOFT_TISSUE.words == "CT, soft tissue window, width 400, level 40 HU"
    assert (SOFT_TISSUE.low, SOFT_TISSUE.high) == (-160, 240)


def test_other_images_leave_out_extremes_and_what_is_outside() -> None:
    values = torch.linspace(0, 1000, 1001)
    values[-1] = 1e9
    window, _ = windows_of((MR, MR), ([values, torch.full((50,), float("nan"))], [values]))
    assert 5 < window.low < 15
    assert 990 < window.high < 1000
    assert window.words == "1st to 99.5th percentile of what is shown, width 985, level 502"


def test_nothing_in_view_has_a_window_too() -> None:
    nothing = torch.full((5,), float("nan"))
    first, second = windows_of((MR, CHEST), ([nothing], [nothing]))
    assert first.low < first.high
    assert second == SOFT_TISSUE
    assert ct_window(torch.full((5,), -1000.0)) == SOFT_TISSUE
