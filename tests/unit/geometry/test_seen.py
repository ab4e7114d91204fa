"""Where an image was really seen."""

import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.geometry.seen import seen_mask

SIZE = 48


def _image(data: torch.Tensor) -> Image:
    return Image(data.float(), Grid.axis_aligned(tuple(data.shape[::-1]), (1.0,) * data.ndim))


def _noise(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 20 + 100


def _places(size: int = SIZE, dimension: int = 3) -> tuple[torch.Tensor, ...]:
    """Coordinates from the middle of a cube, z first."""
    axis = torch.arange(size) - (size - 1) / 2
    return torch.meshgrid(*[axis] * dimension, indexing="ij")


def _turned_box(angle: float, half: float = 20.0) -> torch.Tensor:
    z, y, x = _places()
    turn = torch.tensor(angle)
    along, across = x * turn.cos() + y * turn.sin(), y * turn.cos() - x * turn.sin()
    return (along.abs() < half) & (across.abs() < half) & (z.abs() < 2 * half)


def _round() -> torch.Tensor:
    _, y, x = _places()
    return x.square() + y.square() < (SIZE / 2) ** 2


@pytest.mark.parametrize("value", [-1024.0, 0.0, -2000.0])
@pytest.mark.parametrize("seen", [_round(), _turned_box(0.3), _turned_box(0.1)], ids=["round", "turned", "slightly"])
def test_padding_is_found(seen: torch.Tensor, value: float) -> None:
    data = torch.where(seen, _noise((SIZE,) * 3), value)
    found = seen_mask(_image(data))
    assert found is not None
    assert found.data.dtype == torch.bool
    assert (found.data != seen).float().mean() < 0.005


@pytest.mark.parametrize("size", [47, 48])
def test_odd_sizes_and_pictures_of_two_dimensions(size: int) -> None:
    y, x = _places(size, 2)
    seen = x.square() + y.square() < (size / 2) ** 2
    found = seen_mask(_image(torch.where(seen, _noise((size, size)), 0.0)))
    assert found is not None
    assert (found.data != seen).float().mean() < 0.02


def test_a_turned_round_ct_has_padding_of_two_values() -> None:
    data = torch.where(_round(), _noise((SIZE,) * 3), -2000.0)
    seen = _turned_box(0.2)
    found = seen_mask(_image(torch.where(seen, data, -1000.0)))
    assert found is not None
    assert (found.data != (seen & _round())).float().mean() < 0.005


def test_an_image_without_padding_is_seen_everywhere() -> None:
    assert seen_mask(_image(_noise((SIZE,) * 3))) is None
    assert seen_mask(_image(torch.zeros(SIZE, SIZE, SIZE))) is None


def test_air_in_a_ct_is_seen_though_its_dark_half_is_clipped() -> None:
    z, y, x = _places()
    body = (x / 20).square() + (y / 14).square() < 1
    air = (_noise((SIZE,) * 3) - 1100).clamp(min=-1000.0)
    assert (air == -1000).float().mean() > 0.4
    assert seen_mask(_image(torch.where(body, 40 + z, air))) is None


def test_dark_voxels_inside_what_was_seen_are_no_padding() -> None:
    z, y, x = _places()
    hole = x.square() + y.square() + z.square() < 36
    data = torch.where(hole, 0.0, torch.where(_round(), _noise((SIZE,) * 3), 0.0))
    found = seen_mask(_image(data))
    assert found is not None
    assert found.data[hole].all()


def test_a_brain_on_black_keeps_its_background() -> None:
    z, y, x = _places()
    lobes = [((x - side).square() + y.square() + z.square() < 100) for side in (-9, 9)]
    assert seen_mask(_image(torch.where(lobes[0] | lobes[1], _noise((SIZE,) * 3), 0.0))) is None


def test_a_field_of_view_that_floats_in_a_larger_image_is_found() -> None:
    seen = _turned_box(0.3, 11.0) & (_places()[0].abs() < 12)
    found = seen_mask(_image(torch.where(seen, _noise((SIZE,) * 3), 0.0)))
    assert found is not None
    assert (found.data != seen).float().mean() < 0.005
