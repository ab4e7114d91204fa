"""The demo's case: a CT-like chest, the same chest breathed in as an MR would show it, and the true motion."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import max_pool3d

from elastix_impact.geometry.grid import Grid
from elastix_impact.io.atomic import write_text_whole
from elastix_impact.io.images import write_image
from elastix_impact.io.points import write_points
from elastix_impact.zoo.export.mind import export_mind, mind_file_name

from .anatomy import body, chest, inverse_motion, motion, random_waves

GRID = Grid.axis_aligned((96, 80, 80), (2.5, 2.5, 2.5), (-118.75, -98.75, -98.75))
"""Where both images lie: 240 x 200 x 200 mm."""

LANDMARKS = 100
APART = 12.0
"""Smallest distance of two landmarks in mm."""

MARGIN = 4
"""Voxels of air around the body that belong to the mask."""

CONTRAST = torch.tensor(
    [
        [-1000.0, 2], [-900, 20], [-700, 60], [-300, 200], [-95, 330], [-20, 240], [30, 150], [50, 135],
        [85, 170], [112, 215], [130, 120], [165, 60], [200, 35], [260, 90], [330, 55], [450, 15], [2000, 5],
    ],
    dtype=torch.float64,
)  # fmt: skip
"""Hounsfield units and the MR-like intensity that shows them: fat bright, blood and compact bone dark."""


@final
@dataclass(frozen=True)
class DemoCase:
    """The files of a demo case. `models` is the folder that holds MIND/*.pt."""

    folder: Path
    fixed: Path
    moving: Path
    fixed_mask: Path
    fixed_points: Path
    moving_points: Path
    parameter_map: Path
    models: Path


def make_demo_case(folder: Path, seed: int = 121212) -> DemoCase:
    """Write a complete case by the folder contract; the same seed gives the same bytes.

    The moving image is sampled from the formulas through the inverse of the motion, so it holds no
    interpolation error, and the landmarks are exact.

    Parameters
    ----------
    folder
        Where the files go; made if need be, files of the same names are overwritten.
    seed
        Of noise, texture and landmarks.

    Raises
    ------
    OutputError
        If a file can't be written.
    """
    case = DemoCase(
        folder=folder,
        fixed=folder / "FixedImage.mha",
        moving=folder / "MovingImage.mha",
        fixed_mask=folder / "Fixed_mask.mha",
        fixed_points=folder / "Fixed_landmarks.txt",
        moving_points=folder / "Moving_landmarks.txt",
        parameter_map=folder / "ParameterMap.txt",
        models=folder / "Models",
    )
    generator = torch.Generator().manual_seed(seed)
    for radius in (1, 2):
        for dilation in (1, 2):
            for dimension in (2, 3):
                path = case.models / "MIND" / mind_file_name(radius, dilation, dimension)
                export_mind(path, radius, dilation, dimension)
    waves = random_waves(generator)
    world_points = GRID.world_points()
    write_image(case.fixed, _ct(world_points, waves, generator), GRID, pixel_type="short")
    write_image(case.moving, _mr(world_points, waves, generator), GRID, pixel_type="short")
    write_image(case.fixed_mask, _mask(world_points), GRID, pixel_type="unsigned char")
    landmarks = landmark_points(waves, generator)
    write_points(case.fixed_points, landmarks)
    write_points(case.moving_points, motion(landmarks))
    write_text_whole(case.parameter_map, parameter_map_text())
    return case


def _mask(world_points: Tensor) -> Tensor:
    """The body and `MARGIN` voxels of air around it, 0 or 1 (z, y, x): without the air nothing would hold the skin."""
    inside = (_on_grid(body, world_points) > 0.5).float()
    return max_pool3d(inside[None, None], 2 * MARGIN + 1, stride=1, padding=MARGIN)[0, 0]


def _ct(world_points: Tensor, waves: Tensor, generator: torch.Generator) -> Tensor:
    """The fixed image (z, y, x) in Hounsfield units."""
    clean = _on_grid(lambda points: chest(points, waves), world_points)
    return (clean + 14 * _noise(generator)).clamp(min=-1024).round()


def _mr(world_points: Tensor, waves: Tensor, generator: torch.Generator) -> Tensor:
    """The moving image (z, y, x): breathed in, of another contrast, with a coil's shading and Rician noise."""
    clean = _on_grid(lambda points: chest(inverse_motion(points), waves, _as_mr), world_points)
    x, y, z = (axis.reshape(GRID.shape).float() for axis in world_points.unbind(1))
    shading = 1 + 0.18 * torch.sin(x / 90 + 0.4) - 0.12 * torch.cos(y / 70) + 0.08 * torch.sin(z / 80)
    signal = clean * shading
    return torch.hypot(signal + 6 * _noise(generator), 6 * _noise(generator)).round()


def _as_mr(units: Tensor) -> Tensor:
    """MR-like intensities of Hounsfield units, linear between the knots of `CONTRAST`."""
    knots, levels = CONTRAST.T.contiguous()
    right = torch.searchsorted(knots, units.contiguous()).clamp(1, len(knots) - 1)
    place = ((units - knots[right - 1]) / (knots[right] - knots[right - 1])).clamp(0, 1)
    return torch.lerp(levels[right - 1], levels[right], place)


def _on_grid(values: Callable[[Tensor], Tensor], world_points: Tensor) -> Tensor:
    """What a formula gives at all voxels, float32 (z, y, x); in pieces that fit in the cache."""
    return torch.cat([values(piece) for piece in world_points.split(1 << 15)]).float().reshape(GRID.shape)


def _noise(generator: torch.Generator) -> Tensor:
    return torch.randn(GRID.shape, generator=generator)


def landmark_points(waves: Tensor, generator: torch.Generator) -> Tensor:
    """Landmarks (LANDMARKS, 3) in mm where an observer would put them, float64.

    Of many random points inside the chest those on the strongest edges are taken, at least `APART` mm from
    one another: vessels, bronchi, the rims of organs and bones.
    """
    box = torch.tensor([92.0, 62.0, 84.0], dtype=torch.float64)
    candidates = box * (2 * torch.rand(6000, 3, generator=generator, dtype=torch.float64) - 1)
    x, y, _ = candidates.unbind(1)
    candidates = candidates[(x / 92).square() + (y / 62).square() < 1].requires_grad_()
    (slope,) = torch.autograd.grad(chest(candidates, waves).sum(), candidates)
    ranked = candidates.detach()[slope.norm(dim=1).argsort(descending=True)]
    chosen: list[Tensor] = []
    while len(chosen) < LANDMARKS:
        chosen.append(ranked[0])
        ranked = ranked[(ranked - ranked[0]).norm(dim=1) > APART]
    return (torch.stack(chosen) * 100).round() / 100


def parameter_map_text() -> str:
    """The demo's parameter map: IMPACT in Static mode with MIND, three levels, a B-spline grid of 32 mm."""
    levels = "\n".join(_level_text(level, voxel) for level, voxel in enumerate((5, 4, 2.5)))
    return f"""// Chest demo: IMPACT in Static mode with the MIND descriptor, coarse to fine.
// Runs in the container as it is; outside, --data names the folder that /Data stands for.

(Registration "MultiResolutionRegistration")
(FixedImageDimension 3)
(MovingImageDimension 3)
(FixedInternalImagePixelType "float")
(MovingInternalImagePixelType "float")
(UseDirectionCosines "true")
(RandomSeed 121212)

(FixedImagePyramid "FixedGenericImagePyramid")
(MovingImagePyramid "MovingGenericImagePyramid")
(NumberOfResolutions 3)
(ImagePyramidRescaleSchedule 1 1 1 1 1 1 1 1 1)
(ImagePyramidSmoothingSchedule 1 1 1 1 1 1 1 1 1)

(Transform "BSplineTransform")
(FinalGridSpacingInPhysicalUnits 32)
(GridSpacingSchedule 4 2 1)
(HowToCombineTransforms "Compose")

(Metric "Impact")
(ImpactMode "Static")
(ImpactGPU -1)
(ImpactUseMixedPrecision "false")
(ImpactFeaturesMapUpdateInterval -1)

{levels}

(Optimizer "AdaptiveStochasticGradientDescent")
(MaximumNumberOfIterations 250)
(AutomaticParameterEstimation "true")
(UseAdaptiveStepSizes "true")

(ImageSampler "RandomCoordinate")
(NumberOfSpatialSamples 2000)
(NewSamplesEveryIteration "true")
(Interpolator "BSplineInterpolator")
(BSplineInterpolationOrder 1)

(ResampleInterpolator "FinalBSplineInterpolator")
(FinalBSplineInterpolationOrder 3)
(Resampler "DefaultResampler")
(DefaultPixelValue 0)
(WriteResultImage "true")
(ResultImagePixelType "short")
(ResultImageFormat "mha")
"""


def _level_text(level: int, voxel: float) -> str:
    return f"""(ImpactModelsPath{level} "/Data/Models/MIND/R1D2_3D.pt")
(ImpactDimension{level} 3)
(ImpactNumberOfChannels{level} 1)
(ImpactPatchSize{level} 0 0 0)
(ImpactVoxelSize{level} {voxel:g} {voxel:g} {voxel:g})
(ImpactLayersMask{level} "1")
(ImpactSubsetFeatures{level} 12)
(ImpactPCA{level} 0)
(ImpactDistance{level} "L2")
(ImpactLayersWeight{level} 1)"""
