"""Registrations whose answer is known, in millimetres: what moved is found, however the images are stored."""

from dataclasses import replace

import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.parameters.resolve import plan_or_raise
from elastix_impact.parameters.text import parse_parameter_text
from elastix_impact.registration.register import register
from elastix_impact.registration.result import StopReason
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.translation import TranslationTransform
from elastix_impact.zoo.export.mind import export_mind
from small_case import MAP

FIXED = Grid.axis_aligned((28, 24, 20), (4.0, 4.0, 4.0), (-54.0, -46.0, 1962.0))
SHIFT = torch.tensor([5.0, -4.0, 3.0], dtype=torch.float64)
STORED = {
    "as the fixed image": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "feet first": ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    "axes permuted": ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "oblique": ((0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 1.0)),
}


def _anatomy(world_points):
    """Intensities of a body full of blobs, at points around (0, 0, 2000)."""
    generator = torch.Generator().manual_seed(2)
    centres = (torch.rand(60, 3, generator=generator, dtype=torch.float64) - 0.5) * torch.tensor([110.0, 95.0, 80.0])
    widths = 5 + 9 * torch.rand(60, generator=generator, dtype=torch.float64)
    heights = torch.randn(60, generator=generator, dtype=torch.float64) * 300
    offsets = world_points - torch.tensor([0.0, 0.0, 2000.0], dtype=torch.float64)
    distances = torch.cdist(offsets, centres)
    return (heights * torch.exp(-((distances / widths) ** 2))).sum(1)


def _image(grid, motion=None):
    points = grid.world_points()
    values = _anatomy(points if motion is None else motion(points))
    return Image(values.float().reshape(grid.shape), grid)


def _moving_grid(direction):
    """A grid around the same place with these axes, large enough for the motion."""
    size, spacing = (36, 36, 36), (4.0, 4.0, 4.0)
    half = torch.tensor(direction, dtype=torch.float64) @ torch.full((3,), 70.0, dtype=torch.float64)
    origin = torch.tensor(FIXED.centre, dtype=torch.float64) - half
    return Grid(size, spacing, tuple(origin.tolist()), direction)


@pytest.fixture(scope="module")
def mind(tmp_path_factory):
    return export_mind(tmp_path_factory.mktemp("models") / "mind.pt", radius=1, dilation=2, dimension=3)


def _plan(*changes, seed=1):
    text = MAP
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return replace(plan_or_raise(parse_parameter_text(text, "map.txt"), dimension=3), random_seed=seed)


def _register(mind, plan, fixed, moving, **options):
    return register(plan, fixed, moving, find_model=lambda name, dimension: mind, device=torch.device("cpu"), **options)


def _landmarks():
    inner = torch.tensor(FIXED.size, dtype=torch.float64) - 9
    random = torch.rand(200, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    return FIXED.to_world(random * inner + 4)


def _error(transform, motion):
    points = _landmarks()
    return (transform.map_points(points) - motion(points)).norm(dim=1).mean().item()


@pytest.mark.parametrize("direction", STORED.values(), ids=STORED)
def test_a_shift_is_found_however_the_moving_image_is_stored(mind, direction):
    moving = _image(_moving_grid(direction), lambda points: points - SHIFT)
    result = _register(mind, _plan(), _image(FIXED), moving)
    before = SHIFT.norm().item()
    assert result.stop_reason is StopReason.MAXIMUM_ITERATIONS
    assert _error(result.transform, lambda points: points + SHIFT) < 0.25 * before


def test_turning_the_world_turns_the_answer(mind):
    turn = torch.tensor(STORED["oblique"], dtype=torch.float64)
    straight = _register(mind, _plan(), _image(FIXED), _image(FIXED, lambda points: points - SHIFT))
    origin = tuple((turn @ torch.tensor(FIXED.origin, dtype=torch.float64)).tolist())
    turned_grid = replace(FIXED, origin=origin, direction=STORED["oblique"])
    fixed, moving = (Image(image.data, turned_grid) for image in (_image(FIXED), _image(FIXED, lambda p: p - SHIFT)))
    turned = _register(mind, _plan(), fixed, moving)
    points = _landmarks()
    torch.testing.assert_close(
        turned.transform.map_points(points @ turn.T), straight.transform.map_points(points) @ turn.T, atol=0.3, rtol=0
    )


def test_identical_images_do_not_move(mind):
    result = _register(mind, _plan(), _image(FIXED), _image(FIXED))
    assert _error(result.transform, lambda points: points) < 0.1


@pytest.mark.parametrize("kind", ["TranslationTransform", "EulerTransform", "SimilarityTransform", "AffineTransform"])
def test_linear_transforms_find_a_shift(mind, kind):
    plan = _plan(('"BSplineTransform"', f'"{kind}")\n(AutomaticScalesEstimation "true"'))
    moving = _image(_moving_grid(STORED["oblique"]), lambda points: points - SHIFT)
    result = _register(mind, plan, _image(FIXED), moving)
    assert _error(result.transform, lambda points: points + SHIFT) < 0.2 * SHIFT.norm().item()


@pytest.mark.parametrize("combination", ["Compose", "Add"])
def test_an_initial_transform_is_where_the_run_starts(mind, combination):
    turn = torch.tensor([0.98, -0.2, 0.0, 0.2, 0.98, 0.0, 0.0, 0.0, 1.0, 40.0, -30.0, 20.0], dtype=torch.float64)
    initial = AffineTransform(turn, FIXED.centre)
    inverse = torch.linalg.inv(turn[:9].reshape(3, 3))
    centre = torch.tensor(FIXED.centre, dtype=torch.float64)

    def back(points):
        return (points - SHIFT - centre - turn[9:]) @ inverse.T + centre

    grid = _moving_grid(STORED["as the fixed image"]).shifted((40.0, -30.0, 20.0))
    plan = _plan(('"Compose"', f'"{combination}"'))
    result = _register(mind, plan, _image(FIXED), _image(grid, back), initial=initial)
    error = _error(result.transform, lambda points: initial.map_points(points) + SHIFT)
    assert error < 0.3 * SHIFT.norm().item()
    assert result.initial is initial


def test_updating_the_features_on_the_way_works_as_well(mind):
    plan = _plan(("(ImpactFeaturesMapUpdateInterval -1)", "(ImpactFeaturesMapUpdateInterval 10)"))
    moving = _image(_moving_grid(STORED["axes permuted"]), lambda points: points - SHIFT)
    result = _register(mind, plan, _image(FIXED), moving)
    assert _error(result.transform, lambda points: points + SHIFT) < 0.3 * SHIFT.norm().item()


def test_a_seed_is_a_result_and_another_seed_another(mind):
    fixed, moving = _image(FIXED), _image(FIXED, lambda points: points - SHIFT)
    first, again, other = (_register(mind, _plan(seed=s), fixed, moving).current.parameters for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_no_overlap_fails_with_a_reason_and_does_not_move(mind):
    far = TranslationTransform(torch.tensor([900.0, 0.0, 0.0], dtype=torch.float64))
    result = _register(mind, _plan(), _image(FIXED), _image(FIXED), initial=far)
    assert result.stop_reason is StopReason.TOO_FEW_SAMPLES
    assert result.current.parameters.abs().max() == 0
