"""A moving image that ends where the fixed one goes on: a large volume, and a small turned one with padding."""

import math

import pytest
import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.parameters.resolve import plan_or_raise
from elastix_impact.parameters.text import parse_parameter_text
from elastix_impact.registration.register import register

FIXED = Grid.axis_aligned((40, 32, 24), (4.0, 4.0, 4.0), (-78.0, -62.0, -46.0))
MOVING = Grid.axis_aligned((24, 22, 20), (4.0, 4.0, 4.0), (-66.0, -52.0, -38.0))
HALF = torch.tensor([34.0, 30.0, 100.0], dtype=torch.float64)
"""Of the field of view in mm, along its own axes."""

MAP = """
(FixedImageDimension 3) (MovingImageDimension 3) (NumberOfResolutions 2)
(FixedImagePyramid "FixedSmoothingImagePyramid") (MovingImagePyramid "MovingSmoothingImagePyramid")
(ImagePyramidSchedule 2 2 2 1 1 1)
(Interpolator "LinearInterpolator") (ImageSampler "RandomCoordinate") (NewSamplesEveryIteration "true")
(NumberOfSpatialSamples 1000) (Transform "AffineTransform") (AutomaticScalesEstimation "true")
(Optimizer "AdaptiveStochasticGradientDescent") (MaximumNumberOfIterations 120) (MaximumStepLength 2)
(RequiredRatioOfValidSamples 0.05) (Metric "AdvancedMattesMutualInformation") (RandomSeed 1)
""".replace(") (", ")\n(")


def _anatomy(points: Tensor) -> Tensor:
    """Blobs of many sizes in mm, the same at every call."""
    generator = torch.Generator().manual_seed(2)
    centres = (torch.rand(90, 3, generator=generator, dtype=torch.float64) - 0.5) * torch.tensor([160.0, 130.0, 100.0])
    widths = 6 + 9 * torch.rand(90, generator=generator, dtype=torch.float64)
    heights = 300 * torch.randn(90, generator=generator, dtype=torch.float64)
    return 500 + (heights * torch.exp(-((torch.cdist(points, centres) / widths) ** 2))).sum(1)


def _turn(degrees: float) -> Tensor:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)


def _motion(points: Tensor) -> Tensor:
    return points @ _turn(7).T + torch.tensor([-22.0, -6.0, 3.0], dtype=torch.float64)


def _undone(points: Tensor) -> Tensor:
    return (points - torch.tensor([-22.0, -6.0, 3.0], dtype=torch.float64)) @ _turn(7)


@pytest.fixture(scope="module")
def images() -> tuple[Image, Image]:
    points, noise = MOVING.world_points(), torch.Generator().manual_seed(5)
    along = (points - torch.tensor(MOVING.centre)) @ _turn(12)
    contrast = 900 - 0.6 * _anatomy(_undone(points)) + 10 * torch.randn(len(points), generator=noise)
    moving = torch.where((along.abs() < HALF).all(1), contrast, 0.0)
    fixed = _anatomy(FIXED.world_points()) + 10 * torch.randn(FIXED.number_of_voxels, generator=noise)
    return Image(fixed.float().reshape(FIXED.shape), FIXED), Image(moving.float().reshape(MOVING.shape), MOVING)


def _error(images: tuple[Image, Image], both_see: str) -> float:
    """Mean error in mm at places in the field of view."""
    text = MAP + f'(SampleWhereBothSee "{both_see}")\n'
    plan = plan_or_raise(parse_parameter_text(text, "map.txt"), dimension=3)
    found = register(plan, *images, find_model=_no_model, device=torch.device("cpu")).transform
    shares = torch.rand(200, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64) - 0.5
    places = _undone(torch.tensor(MOVING.centre) + shares * torch.tensor([50.0, 50.0, 60.0]))
    return (found.map_points(places) - _motion(places)).norm(dim=1).mean().item()


def _no_model(name: str, dimension: int) -> None:
    raise AssertionError(name)


def test_an_affine_registration_stays_where_both_see(images: tuple[Image, Image]) -> None:
    assert _error(images, "true") < 3.5


def test_without_it_the_image_is_pressed_into_the_other_s_field_of_view(images: tuple[Image, Image]) -> None:
    assert _error(images, "false") > 8.0
