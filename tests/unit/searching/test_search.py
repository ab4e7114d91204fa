import pytest
import torch

from elastix_impact.errors import ImageError
from elastix_impact.geometry.image import Image
from elastix_impact.searching.search import SearchSettings, Start, search
from search_scenes import SETTINGS, blob, corner_error, discs, image, noisy, sphere, turned

SIZE = (28, 32, 26)
FLAT = (64, 56)
QUICK = SearchSettings(48, 4.0, 0.5, 3)
TURN, SHIFT = (100.0, 120.0, -68.0), (150.0, -40.0, 12.0)
"""About 170 degrees."""


def found(fixed: Image, moving: Image, settings: SearchSettings = SETTINGS) -> Start:
    return search(fixed, moving, settings, None, None)


def test_a_turn_of_170_degrees_is_found_and_unique() -> None:
    fixed, moving = image(noisy(blob(SIZE), 1)), image(noisy(1 - blob(SIZE), 2))
    start = found(fixed, turned(moving, TURN, SHIFT))
    assert corner_error(start, TURN, SHIFT, fixed.grid) < 4.0
    assert start.report.word == "unique"
    assert not start.report.header_kept
    assert start.report.header is None
    assert start.report.runner_up is None or start.report.runner_up.score < start.report.start.score - 0.05


def test_a_turn_in_the_plane_is_found() -> None:
    fixed, moving = image(noisy(blob(FLAT), 1)), image(noisy(1 - blob(FLAT), 2))
    start = found(fixed, turned(moving, (-160.0,), (9.0, 20.0)), SearchSettings(72, None, 0.5, 5))
    assert corner_error(start, (-160.0,), (9.0, 20.0), fixed.grid) < 3.0
    assert start.report.word == "unique"
    assert start.report.rotations == 72


@pytest.mark.parametrize("size", [SIZE, FLAT])
def test_the_headers_pose_is_kept_where_it_is_right(size: tuple[int, ...]) -> None:
    fixed, moving = image(noisy(blob(size), 1)), image(noisy(1 - blob(size), 2))
    start = found(fixed, moving)
    assert start.report.header_kept
    assert start.report.word == "header kept"
    assert torch.equal(start.rotation, torch.eye(len(size), dtype=torch.float64))
    assert start.translation == (0.0,) * len(size)
    assert "is kept" in start.report.sentence


@pytest.mark.parametrize("shape", [sphere, discs])
def test_what_looks_alike_in_several_poses_is_called_ambiguous(shape: object) -> None:
    values = shape(SIZE)  # type: ignore[operator]
    start = found(image(noisy(values, 1)), image(noisy(values, 2)))
    assert start.report.word == "ambiguous"
    assert start.report.header_kept
    assert "Ambiguous" in start.report.sentence


@pytest.mark.parametrize(
    ("values", "turn", "shift", "settings"),
    [
        (sphere(SIZE), TURN, SHIFT, QUICK),
        (discs(SIZE), (0.0, 90.0, 0.0), (20.0, 10.0, -15.0), QUICK),
        (sphere(FLAT), (130.0,), (60.0, -30.0), SearchSettings(72, None, 0.5, 5)),
    ],
)
def test_what_looks_alike_is_called_ambiguous_however_its_header_lies(
    values: torch.Tensor, turn: tuple[float, ...], shift: tuple[float, ...], settings: SearchSettings
) -> None:
    start = found(image(noisy(values, 1)), turned(image(noisy(values, 2)), turn, shift), settings)
    assert start.report.word == "ambiguous"
    assert start.report.runner_up is not None
    assert start.report.lead is not None
    assert start.report.lead < 0.05


def test_headers_that_are_plainly_wrong_are_left_for_one_of_two_poses_that_look_alike() -> None:
    """A body that a half turn about z brings to itself, a quarter turn away from both of its poses."""
    values = torch.maximum(blob(SIZE), blob(SIZE).flip(-1, -2))
    fixed, turn, still = image(noisy(values, 1)), (0.0, 0.0, 80.0), (0.0, 0.0, 0.0)
    start = found(fixed, turned(image(noisy(values, 2)), turn, still), QUICK)
    assert start.report.word == "ambiguous"
    assert not start.report.header_kept
    assert min(corner_error(start, (0.0, 0.0, angle), still, fixed.grid) for angle in (80.0, -100.0)) < 4.0


def test_a_mark_ends_the_ambiguity() -> None:
    """Discs with something beside them that no turn and no shift brings to itself."""
    values = discs(SIZE) + blob(SIZE)
    start = found(image(noisy(values, 1)), turned(image(noisy(values, 2)), TURN, SHIFT), QUICK)
    assert corner_error(start, TURN, SHIFT, image(values).grid) < 4.0
    assert start.report.word == "unique"


def test_the_same_search_gives_the_same_numbers() -> None:
    fixed, moving = image(noisy(blob(SIZE), 1)), turned(image(noisy(blob(SIZE), 2)), (0.0, 0.0, 90.0), (0.0, 0.0, 0.0))
    first, second = found(fixed, moving, QUICK), found(fixed, moving, QUICK)
    assert first.translation == second.translation
    assert torch.equal(first.rotation, second.rotation)
    assert first.report == second.report


def test_near_rotations_leave_a_half_turn_alone() -> None:
    fixed, moving = image(noisy(blob(SIZE), 1)), image(noisy(blob(SIZE), 2))
    near = SearchSettings("near", 4.0, 0.5, 3)
    tilted = found(fixed, turned(moving, (0.0, 25.0, 0.0), (6.0, 0.0, 0.0)), near)
    assert corner_error(tilted, (0.0, 25.0, 0.0), (6.0, 0.0, 0.0), fixed.grid) < 4.0
    assert found(fixed, turned(moving, (0.0, 0.0, 180.0), (0.0, 0.0, 0.0)), near).report.start.angle < 60


def test_only_what_the_masks_cover_is_compared() -> None:
    """Beside the shape stands another, ten times as bright and elsewhere in each image: the masks leave it out."""
    wide = (52, 32, 26)
    values, other = torch.zeros(wide[::-1]), torch.zeros(wide[::-1])
    values[..., 1:29], other[..., 22:50] = blob(SIZE), blob(SIZE)
    masks = torch.zeros(wide[::-1], dtype=torch.bool), torch.zeros(wide[::-1], dtype=torch.bool)
    masks[0][..., :30], masks[1][..., 21:] = True, True
    values[4:20, 4:20, 34:48] = 10.0
    other[4:20, 8:28, 3:18] = 10.0
    fixed, moving = image(noisy(values, 1)), image(noisy(other, 2))
    start = search(fixed, moving, QUICK, Image(masks[0], fixed.grid), Image(masks[1], moving.grid))
    assert start.report.start.angle < 4
    assert start.translation == pytest.approx((42.0, 0.0, 0.0), abs=3.0)


def test_a_mask_that_covers_nothing_is_refused() -> None:
    one = image(noisy(blob(SIZE), 1))
    empty = Image(torch.zeros(SIZE[::-1], dtype=torch.bool), one.grid, "empty.mha")
    with pytest.raises(ImageError, match=r"empty.mha.*covers nothing"):
        search(one, one, SETTINGS, empty, None)


def test_images_without_structure_keep_the_headers() -> None:
    flat = image(torch.full(SIZE[::-1], 3.0))
    start = found(flat, flat)
    assert start.report.header_kept
    assert start.report.word == "ambiguous"


def test_a_slab_too_wide_to_lie_in_a_narrow_image_is_searched_with_less_overlap() -> None:
    """A flat moving image sees at most a third of the fixed one, however it lies."""
    narrow, flat = (20, 20, 60), (52, 56, 12)
    fixed, moving = image(noisy(blob(narrow), 1)), image(noisy(blob(flat), 2))
    report = found(fixed, moving, SearchSettings(24, 4.0, 0.5, 3)).report
    assert 0.1 <= report.overlap < 0.45
