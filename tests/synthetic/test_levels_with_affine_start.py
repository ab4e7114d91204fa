"""Four levels are better than one, for an affine map and for a B-spline that starts from it.

The configuration behind https://github.com/vboussot/ImpactLoss/issues/4, where four levels ruined what one had found:
Static IMPACT, several layers of different stride, L1, the coarsest level's settings as the single level.
"""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elastix_impact.parameters.resolve import plan_or_raise
from elastix_impact.parameters.text import parse_parameter_text
from elastix_impact.registration.register import register
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.zoo.export.mind import export_mind
from phantom_pair import Pair, affine_matrix, breathing_and_bending, chest_pair, still

MATRIX = affine_matrix(8.0, -5.0, (1.06, 0.95, 1.04))
SHIFT = (14.0, -10.0, 9.0)
VOXELS = (8, 6, 4, 4)
"""mm, coarse to fine."""


class TwoScales(nn.Module):
    """MIND, and its mean over every two voxels."""

    def __init__(self, mind: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.mind = mind

    def forward(self, x: Tensor, nb_layers: Tensor, stats: Tensor, direction: Tensor) -> list[Tensor]:
        features = self.mind(x, nb_layers, stats, direction)[0]
        return [features, F.avg_pool3d(features, 2)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    mind = torch.jit.load(str(export_mind(folder / "mind.pt", radius=1, dilation=1, dimension=3)))
    torch.jit.script(TwoScales(mind)).save(str(folder / "two_scales.pt"))
    return folder / "two_scales.pt"


@pytest.fixture(scope="module")
def bent_pair() -> Pair:
    return chest_pair(MATRIX, SHIFT, breathing_and_bending)


def _map(transform: str, voxels: tuple[int, ...], iterations: int, more: str) -> str:
    levels = "\n".join(
        f'(ImpactModelsPath{k} "two_scales.pt")\n(ImpactDimension{k} 3)\n(ImpactNumberOfChannels{k} 1)\n'
        f"(ImpactPatchSize{k} 0 0 0)\n(ImpactVoxelSize{k} {mm} {mm} {mm})\n"
        f'(ImpactLayersMask{k} "11")\n(ImpactSubsetFeatures{k} 12 12)\n(ImpactPCA{k} 0 0)\n'
        f'(ImpactDistance{k} "L1" "L1")\n(ImpactLayersWeight{k} 1 1)'
        for k, mm in enumerate(voxels)
    )
    return f"""(Registration "MultiResolutionRegistration")
(NumberOfResolutions {len(voxels)})
(FixedImagePyramid "FixedGenericImagePyramid")
(MovingImagePyramid "MovingGenericImagePyramid")
(ImagePyramidRescaleSchedule {"1 1 1 " * len(voxels)})
(ImagePyramidSmoothingSchedule {"1 1 1 " * len(voxels)})
(Interpolator "LinearInterpolator")
(Transform "{transform}")
(HowToCombineTransforms "Compose")
(Optimizer "AdaptiveStochasticGradientDescent")
(MaximumNumberOfIterations {iterations})
(AutomaticParameterEstimation "true")
(ImageSampler "RandomCoordinate")
(NumberOfSpatialSamples 1000)
(NewSamplesEveryIteration "true")
(Metric "Impact")
(ImpactMode "Static")
(ImpactFeatureInterpolationOrder 1)
{more}
{levels}
"""


def _registered(text: str, pair: Pair, model, initial: AbstractTransform | None = None) -> AbstractTransform:
    plan = replace(plan_or_raise(parse_parameter_text(text, "map.txt"), dimension=3), random_seed=1)
    result = register(
        plan, pair.fixed, pair.moving, fixed_mask=pair.mask, initial=initial, find_model=lambda *_: model,
        device=torch.device("cpu"),
    )  # fmt: skip
    assert not result.stop_reason.is_failure
    return result.transform


def _affine(voxels: tuple[int, ...], iterations: int, pair: Pair, model) -> AbstractTransform:
    return _registered(_map("AffineTransform", voxels, iterations, '(AutomaticScalesEstimation "true")'), pair, model)


def _spline(
    voxels: tuple[int, ...], iterations: int, pair: Pair, model, initial: AbstractTransform
) -> AbstractTransform:
    grid = f"(FinalGridSpacingInPhysicalUnits 24)\n(GridSpacingSchedule {'8 4 2 1' if len(voxels) > 1 else '1'})"
    return _registered(_map("RecursiveBSplineTransform", voxels, iterations, grid), pair, model, initial)


def test_four_levels_of_an_affine_map_are_better_than_one(model):
    pair = chest_pair(MATRIX, SHIFT, still)
    one, four = (pair.error(_affine(voxels, 200, pair, model)) for voxels in (VOXELS[:1], VOXELS))
    assert pair.error_before > 18
    assert four < 0.5 * one
    assert four < 1.5


def test_four_levels_of_a_spline_after_an_affine_map_are_better_than_one(model, bent_pair):
    """Also as good as four times the iterations at the finest level alone: the seeds spread by 3 %."""
    affine = _affine(VOXELS, 150, bent_pair, model)
    four = bent_pair.error(_spline(VOXELS, 150, bent_pair, model, affine))
    coarse, fine = (
        bent_pair.error(_spline(voxels, 600, bent_pair, model, affine)) for voxels in (VOXELS[:1], VOXELS[-1:])
    )
    assert bent_pair.error(affine) < 0.35 * bent_pair.error_before
    assert four < 0.5 * bent_pair.error(affine)
    assert four < 0.6 * coarse
    assert four < 1.1 * fine
