"""A registration of a few seconds, of a made-up pair with a known shift, to see whether a device works."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.parameters.resolve import plan_or_raise
from elastix_impact.parameters.text import parse_parameter_text
from elastix_impact.registration.register import register
from elastix_impact.runs.device import choose_threads, torch_settings
from elastix_impact.zoo.export.mind import export_mind
from elastix_impact.zoo.trust import trusting

GRID = Grid.axis_aligned((32, 32, 32), (4.0, 4.0, 4.0), (-62.0, -62.0, -62.0))
SHIFT = (6.0, -5.0, 4.0)
"""mm"""

MAP = """
(Registration "MultiResolutionRegistration")
(NumberOfResolutions 1)
(FixedImagePyramid "FixedSmoothingImagePyramid")
(MovingImagePyramid "MovingSmoothingImagePyramid")
(Interpolator "LinearInterpolator")
(Optimizer "AdaptiveStochasticGradientDescent")
(ImageSampler "RandomCoordinate")
(NewSamplesEveryIteration "true")
(NumberOfSpatialSamples 1000)
(MaximumNumberOfIterations 60)
(Transform "TranslationTransform")
(Metric "Impact")
(ImpactMode "Static")
(ImpactModelsPath0 "mind.pt")
(ImpactDimension0 3)
(ImpactNumberOfChannels0 1)
(ImpactPatchSize0 0 0 0)
(ImpactVoxelSize0 4 4 4)
(ImpactLayersMask0 "1")
(ImpactSubsetFeatures0 12)
(ImpactPCA0 0)
(ImpactDistance0 "L2")
(ImpactLayersWeight0 1)
"""


def try_device(device: torch.device, folder: Path) -> tuple[float, float]:
    """Distance in mm between the shift found and the true one, before and after; `folder` is for the model."""
    model = export_mind(folder / "mind.pt", radius=1, dilation=1, dimension=3)
    points, shift = GRID.world_points(), torch.tensor([SHIFT], dtype=torch.float64)
    fixed, moving = (Image(_texture(at).float().reshape(GRID.shape), GRID) for at in (points, points - shift))
    plan = replace(plan_or_raise(parse_parameter_text(MAP, "self-test"), dimension=3), random_seed=1)
    with torch_settings(choose_threads(None), device), trusting((folder,)):
        result = register(plan, fixed, moving, find_model=lambda *_: model, device=device)
    origin = torch.zeros(1, 3, dtype=torch.float64)
    return float(shift.norm()), float((result.transform.map_points(origin) - shift).norm())


def _texture(points: Tensor) -> Tensor:
    """A smooth pattern of world points in mm."""
    x, y, z = points.unbind(1)
    ball = 400 / (1 + torch.exp((points.norm(dim=1) - 42) / 3))
    return ball + 60 * torch.sin(x / 7 + torch.cos(y / 9)) * torch.cos(y / 8) + 50 * torch.sin(z / 6 + x / 15)
