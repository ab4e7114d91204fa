"""Values and derivatives of elastix's metrics: what it writes in the course of a few steps of gradient descent.

Steps have length gain times derivative, all points are samples and nothing is smoothed, so that
derivative = (parameters before - parameters after) / gain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import itk
import numpy as np
import scipy.ndimage
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.io.transform_file import read_transform_file
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.composite import CompositeTransform

PARAMETERS: dict[str, Sequence[object]] = {
    "Registration": ["MultiResolutionRegistration"],
    "NumberOfResolutions": [1],
    "FixedImagePyramid": ["FixedShrinkingImagePyramid"],
    "MovingImagePyramid": ["MovingShrinkingImagePyramid"],
    "Interpolator": ["BSplineInterpolator"],
    "BSplineInterpolationOrder": [1],
    "ResampleInterpolator": ["FinalLinearInterpolator"],
    "Resampler": ["DefaultResampler"],
    "Optimizer": ["StandardGradientDescent"],
    "SP_A": [0.0],
    "SP_alpha": [0.0],
    "ImageSampler": ["Full"],
    "NewSamplesEveryIteration": ["false"],
    "AutomaticScalesEstimation": ["false"],
    "AutomaticTransformInitialization": ["false"],
    "RequiredRatioOfValidSamples": [0.05],
    "ErodeMask": ["false"],
    "WriteResultImage": ["false"],
    "WriteTransformParametersEachIteration": ["true"],
}


@dataclass(frozen=True)
class Step:
    """What elastix had at one iteration: the columns of its table, the transform, and the derivative there."""

    table: dict[str, float]
    transform: AbstractTransform
    derivative: torch.Tensor

    @property
    def value(self) -> float:
        return self.table["2:Metric"]


def itk_image(image: Image) -> itk.Image:
    data = image.data.numpy()
    result = itk.image_from_array(data.astype(np.uint8) if data.dtype == bool else np.ascontiguousarray(data))
    result.SetSpacing(image.grid.spacing)
    result.SetOrigin(image.grid.origin)
    result.SetDirection(itk.matrix_from_array(np.array(image.grid.direction)))
    return result


def elastix_steps(
    folder: Path,
    fixed: Image,
    moving: Image,
    start: AbstractTransform,
    *,
    gain: float,
    steps: int = 2,
    masks: Mapping[str, Image] | None = None,
    points: Mapping[str, torch.Tensor] | None = None,
    initial: Path | None = None,
    **entries: Sequence[object],
) -> list[Step]:
    """Run elastix from `start`, its initial parameters; world points of landmarks by ``"fixed"``, ``"moving"``."""
    defaults = PARAMETERS | {"SP_a": [gain], "MaximumNumberOfIterations": [steps]}
    parameters = itk.ParameterObject.New()
    parameters.AddParameterMap({name: [str(v) for v in values] for name, values in (defaults | entries).items()})
    kind = type(itk_image(fixed))
    run = itk.ElastixRegistrationMethod[kind, kind].New(itk_image(fixed), itk_image(moving))
    run.SetParameterObject(parameters)
    run.SetOutputDirectory(str(folder))
    run.SetLogToConsole(False)
    for role, mask in (masks or {}).items():
        getattr(run, f"Set{role.capitalize()}Mask")(itk_image(mask))
    for role, world_points in (points or {}).items():
        getattr(run, f"Set{role.capitalize()}PointSetFileName")(str(_point_file(folder / role, world_points)))
    if initial is not None:
        run.SetInitialTransformParameterFileName(str(initial))
    run.UpdateLargestPossibleRegion()
    header, *rows = [line.split() for line in (folder / "IterationInfo.0.R0.txt").read_text().splitlines()]
    transforms = [start, *(_own(read_transform_file(file).transform) for file in _files(folder))]
    return [
        Step(
            dict(zip(header, map(float, row))),
            start.with_parameters(before.parameters),
            (before.parameters - after.parameters) / gain,
        )
        for row, before, after in zip(rows, transforms, transforms[1:])
    ]


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("TransformParameters.0.R0.It*.txt"))


def _own(transform: AbstractTransform) -> AbstractTransform:
    return transform.current if isinstance(transform, CompositeTransform) else transform


def _point_file(path: Path, world_points: torch.Tensor) -> Path:
    lines = ["point", str(len(world_points)), *(" ".join(f"{x:.17g}" for x in p) for p in world_points.tolist())]
    path.write_text("\n".join(lines) + "\n")
    return path


def noise(grid: Grid, seed: int, *, world_offset: Sequence[float], sigma_voxels: float = 3.0) -> Image:
    """Smooth noise with intensities 0 to 1000 on `grid`, whose content then lies `world_offset` mm away."""
    values = np.random.default_rng(seed).standard_normal(grid.shape)
    smooth = scipy.ndimage.gaussian_filter(values, sigma_voxels, mode="wrap")
    data = (smooth - smooth.min()) / np.ptp(smooth) * 1000
    return Image(torch.from_numpy(data.astype(np.float32)), grid.shifted(tuple(world_offset)))
