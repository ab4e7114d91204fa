"""Two images: of one dimension, and of about one size."""

import pytest
import torch

from elastix_impact.errors import ImageError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.io.pairs import check_pair
from elastix_impact.io.warning import InputWarning


def image(name: str, size: tuple[int, ...] = (20, 10, 10), spacing: float = 2.0) -> Image:
    grid = Grid.axis_aligned(size, (spacing,) * len(size))
    return Image(torch.zeros(grid.shape), grid, name)


def test_dimensions_must_agree() -> None:
    with pytest.raises(ImageError, match=r"a.mha: .*3 dimensions.*slice.png has 2"):
        check_pair(image("a.mha"), image("slice.png", (8, 8)))


@pytest.mark.parametrize("spacing", [0.2, 20.0, 2000.0])
def test_extents_that_differ_tenfold_are_told(spacing: float) -> None:
    with pytest.warns(InputWarning, match=r"a\.mha is 40 mm long, b\.mha .* mm: check their spacings"):
        check_pair(image("a.mha"), image("b.mha", spacing=spacing))


def test_a_slab_beside_a_body_is_no_fault() -> None:
    check_pair(image("body.mha", (100, 100, 100)), image("slab.mha", (12, 12, 1)))
