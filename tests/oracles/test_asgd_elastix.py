"""Times, gains and estimated step sizes against those that elastix itself writes.

elastix writes its parameters after every iteration, and with them its gradients are known:
gradient = (parameters before - parameters after) * scales / gain.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import itk
import numpy as np
import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.optimizers.asgd import AdaptiveStochasticGradientDescent, AsgdSettings
from elastix_impact.optimizers.asgd_estimate import (
    GradientMagnitudes,
    estimate_displacement_distribution,
    estimate_original,
    number_of_jacobian_measurements,
)
from elastix_impact.optimizers.jacobian_terms import displacement_magnitudes, jacobian_terms
from elastix_impact.samplers.fixed import GridSampler
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.bspline import BSplineTransform

GRID = Grid.axis_aligned((60, 50), (1.5, 2.0), (-10.0, 5.0))
AFFINE_SCALES = [4000.0, 5000.0, 3000.0, 6000.0, 1.0, 2.0]


class Run(NamedTuple):
    """What elastix wrote: rows of the iteration table, parameters after each iteration, the transform's file."""

    times: list[float]
    gains: list[float]
    gradient_norms: list[float]
    parameters: torch.Tensor
    transform_text: str

    def numbers(self, name: str) -> list[float]:
        match = re.search(rf"\({name} ([^)]*)\)", self.transform_text)
        assert match is not None
        return [float(word) for word in match[1].split()]


def blobs(shift: float, offset: float = 0.0) -> itk.Image:
    """A 2-D image of two Gaussian blobs, its voxels moved by `offset` mm."""
    y, x = np.mgrid[0:50, 0:60].astype(np.float32)
    data = 100 * np.exp(-((x - 28 - shift) ** 2 + (y - 25) ** 2) / 150)
    data += 30 * np.exp(-((x - 45) ** 2 + (y - 12 - shift) ** 2) / 30)
    return placed(data.astype(np.float32), offset)


def placed(data: np.ndarray, offset: float = 0.0) -> itk.Image:
    image = itk.image_from_array(data)
    image.SetSpacing(GRID.spacing)
    image.SetOrigin([o + offset for o in GRID.origin])
    return image


def elastix(folder: Path, mask: np.ndarray | None = None, **entries: Sequence[object]) -> Run:
    parameters = itk.ParameterObject.New()
    defaults: dict[str, Sequence[object]] = {
        "Registration": ["MultiResolutionRegistration"],
        "NumberOfResolutions": [1],
        "FixedImagePyramid": ["FixedShrinkingImagePyramid"],
        "MovingImagePyramid": ["MovingShrinkingImagePyramid"],
        "Interpolator": ["LinearInterpolator"],
        "Metric": ["AdvancedMeanSquares"],
        "Optimizer": ["AdaptiveStochasticGradientDescent"],
        "MaximumNumberOfIterations": [1],
        "ResampleInterpolator": ["FinalLinearInterpolator"],
        "Resampler": ["DefaultResampler"],
        "ImageSampler": ["Full"],
        "WriteResultImage": ["false"],
        "WriteTransformParametersEachIteration": ["true"],
        "AutomaticTransformInitialization": ["false"],
        "NewSamplesEveryIteration": ["false"],
        "ErodeMask": ["false"],
    }
    parameters.AddParameterMap({name: [str(v) for v in values] for name, values in (defaults | entries).items()})
    masks = {} if mask is None else {"fixed_mask": placed(mask)}
    itk.elastix_registration_method(
        blobs(0.0),
        blobs(3.0, 0.6),  # off the fixed voxels, where linear interpolation has no kinks
        parameter_object=parameters,
        output_directory=str(folder),
        log_to_console=False,
        **masks,
    )
    table = [line.split() for line in (folder / "IterationInfo.0.R0.txt").read_text().splitlines()[1:]]
    files = sorted(folder.glob("TransformParameters.0.R0.It*.txt"))
    run = Run(
        times=[float(row[2]) for row in table],
        gains=[float(row[3]) for row in table],
        gradient_norms=[float(row[4]) for row in table],
        parameters=torch.empty(0),
        transform_text=files[0].read_text(),
    )
    rows = [run._replace(transform_text=file.read_text()).numbers("TransformParameters") for file in files]
    return run._replace(parameters=torch.tensor(rows, dtype=torch.float64))


@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("constant", [True, False])
def test_times_and_gains_are_those_of_elastix(adaptive: bool, constant: bool, tmp_path: Path) -> None:
    run = elastix(
        tmp_path,
        Transform=["EulerTransform"],
        Scales=[3000.0, 1.0, 2.0],
        MaximumNumberOfIterations=[15],
        AutomaticParameterEstimation=["false"],
        SP_a=[1.6],
        SP_A=[10.0],
        SP_alpha=[0.9],
        SigmoidMin=[-0.6],
        SigmoidScale=[20.0],
        SigmoidInitialTime=[2.0],
        UseAdaptiveStepSizes=[str(adaptive).lower()],
        UseConstantStep=[str(constant).lower()],
    )
    scales = torch.tensor([3000.0, 1.0, 2.0], dtype=torch.float64)
    settings = AsgdSettings(
        a=1.6,
        A=10.0,
        alpha=0.9,
        sigmoid_min=-0.6,
        sigmoid_scale=20.0,
        initial_time=2.0,
        use_adaptive_step_sizes=adaptive,
        use_constant_step=constant,
    )
    optimizer = AdaptiveStochasticGradientDescent(settings, scales)
    parameters = torch.zeros(3, dtype=torch.float64)
    state = optimizer.init(parameters)
    for number, after in enumerate(run.parameters):
        gain = settings.a / (settings.A + (0.0 if constant else float(state.next_time)) + 1) ** settings.alpha
        gradient = (parameters - after) * scales / gain
        assert float((gradient / scales.sqrt()).norm()) == pytest.approx(run.gradient_norms[number], rel=1e-4, abs=1e-5)
        parameters, state = optimizer.step(parameters, gradient, state)
        assert float(optimizer.time(state)) == pytest.approx(run.times[number], abs=2e-4)
        assert float(optimizer.step_size(state)) == pytest.approx(run.gains[number], abs=2e-6)
        torch.testing.assert_close(parameters, after)
        parameters = after
    if adaptive:
        assert len(set(run.times)) > 3, "the case must exercise the time"


def transform_of(run: Run) -> AbstractTransform:
    """The transform of the run before its first step."""
    if "GridSize" not in run.transform_text:
        centre = tuple(run.numbers("CenterOfRotationPoint"))
        return AffineTransform(torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]), centre)
    size = tuple(int(n) for n in run.numbers("GridSize"))
    spacing, origin = tuple(run.numbers("GridSpacing")), tuple(run.numbers("GridOrigin"))
    grid = Grid.axis_aligned(size, spacing, origin)
    return BSplineTransform(torch.zeros(2 * grid.number_of_voxels), grid)


def disc() -> np.ndarray:
    y, x = np.mgrid[0:50, 0:60]
    return (((x - 33) ** 2 + (y - 21) ** 2) < 17**2).astype(np.uint8)


CASES = {
    "spline": {"Transform": ["BSplineTransform"], "FinalGridSpacingInPhysicalUnits": [16.0]},
    "fine spline": {"Transform": ["BSplineTransform"], "FinalGridSpacingInPhysicalUnits": [5.0]},
    "affine with scales": {"Transform": ["AffineTransform"], "Scales": AFFINE_SCALES},
}


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("method", ["Original", "DisplacementDistribution"])
def test_estimated_gain_is_that_of_elastix(case: str, masked: bool, method: str, tmp_path: Path) -> None:
    """Without noise, and with so small a step length that gradients are measured next to the start."""
    mask = disc() if masked else None
    entries = {"MaximumStepLength": [1e-5], "ASGDParameterEstimationMethod": [method]} | CASES[case]
    run = elastix(tmp_path, mask, **entries)
    transform = transform_of(run)
    scales = torch.tensor(AFFINE_SCALES) if "Scales" in CASES[case] else None
    before = transform.parameters.double()
    roots = torch.ones_like(before) if scales is None else scales.double().sqrt()
    gradient_norm = run.gradient_norms[0]
    step = (before - run.parameters[0]) * roots
    elastix_a = float(step.norm()) / gradient_norm * 21

    inside = None if mask is None else torch.from_numpy(mask).bool()
    samples = number_of_jacobian_measurements(before.numel())
    world_points = GridSampler(GRID, inside, "cpu", number_of_samples=samples).draw()
    jacobian = transform.jacobian(world_points)
    terms = jacobian_terms(jacobian, scales)
    base = AsgdSettings(a=0.0)

    def measure(sigma: float, number: int) -> GradientMagnitudes:
        return GradientMagnitudes(gradient_norm**2, 0.0)

    if method == "Original":
        estimate = estimate_original(base, terms, measure, maximum_step_length=1e-5)
    else:
        gradient = step * roots / step.norm() * gradient_norm
        magnitudes = displacement_magnitudes(jacobian, gradient.float(), scales)
        estimate = estimate_displacement_distribution(base, magnitudes, terms.max_jj, measure, maximum_step_length=1e-5)
    assert estimate.settings.a == pytest.approx(elastix_a, rel=5e-4)
