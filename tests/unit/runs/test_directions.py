"""UseDirectionCosines "false" from end to end: results are of the world, and the two ways are never mixed."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

import elastix_impact as ei
from elastix_impact.errors import InputError
from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image

ANGLE = np.deg2rad(30)
OBLIQUE = ((float(np.cos(ANGLE)), float(-np.sin(ANGLE))), (float(np.sin(ANGLE)), float(np.cos(ANGLE))))
STRAIGHT = ((1.0, 0.0), (0.0, 1.0))
MOTION = np.array([5.0, -3.0])
"""mm; the fixed point x shows what the moving point x + MOTION shows."""

MAP = """(Registration "MultiResolutionRegistration")
(FixedImagePyramid "FixedSmoothingImagePyramid")
(MovingImagePyramid "MovingSmoothingImagePyramid")
(Interpolator "LinearInterpolator")
(ResampleInterpolator "FinalLinearInterpolator")
(Resampler "DefaultResampler")
(Transform "TranslationTransform")
(Optimizer "RegularStepGradientDescent")
(Metric "AdvancedMeanSquares")
(ImageSampler "Full")
(NumberOfResolutions 1)
(MaximumNumberOfIterations {iterations})
(MaximumStepLength 1.0)
(RequiredRatioOfValidSamples 0.05)
(ResultImageFormat "mha")
(ResultImagePixelType "float")
(UseDirectionCosines "{use}")
"""


def _grid(direction: tuple[tuple[float, ...], ...]) -> Grid:
    return Grid((44, 40), (2.0, 2.0), (300.0, -500.0), direction)


def _pair(direction: tuple[tuple[float, ...], ...]) -> tuple[Image, Image]:
    """A blob, longer along the world's x axis, and the same one moved."""
    grid = _grid(direction)

    def blob(centre: np.ndarray) -> Image:
        along = (grid.world_points().numpy() - centre) / (14, 9)
        return Image(torch.from_numpy(100 * np.exp(-(along**2).sum(1))).float().reshape(grid.shape), grid)

    return blob(np.array(grid.centre)), blob(np.array(grid.centre) + MOTION)


def _map(use: str, iterations: int = 60) -> str:
    return MAP.format(use=use, iterations=iterations)


def _landmarks() -> np.ndarray:
    centre = np.array(_grid(OBLIQUE).centre)
    return centre + np.array([[0.0, 0.0], [12.0, -4.0], [-9.0, 7.0]])


@pytest.fixture(scope="module")
def ignoring(tmp_path_factory: pytest.TempPathFactory) -> ei.Registration:
    """A registration of oblique images as if their axes were the world's."""
    return ei.register(*_pair(OBLIQUE), _map("false"), out=tmp_path_factory.mktemp("run") / "out", threads=1)


def test_the_transform_and_what_it_carries_are_of_the_world(ignoring: ei.Registration) -> None:
    points = _landmarks()
    for mapped in (ignoring.transform.map_points(torch.from_numpy(points)), ignoring.apply(points)):
        assert np.linalg.norm(mapped.numpy() - points - MOTION, axis=1).max() < 0.3
    fixed, moving = _pair(OBLIQUE)
    inside = slice(8, -8), slice(8, -8)
    assert (ignoring.apply(moving, order=1).data - fixed.data)[inside].abs().max() < 5


def test_a_registration_starts_from_one_of_its_own_kind(ignoring: ei.Registration, tmp_path: Path) -> None:
    points = torch.from_numpy(_landmarks())
    again = ei.register(
        *_pair(OBLIQUE), _map("false", 1).replace("MaximumStepLength 1.0", "MaximumStepLength 0.01"),
        fixed_points=points, moving_points=points + torch.from_numpy(MOTION), initial_transform=ignoring, threads=1,
        out=tmp_path / "out",
    )  # fmt: skip
    assert again.metrics["landmarks_mm"]["initial"]["maximum"] < 0.3
    assert again.metrics["landmarks_mm"]["after"]["maximum"] < 0.3


def test_other_kinds_of_start_are_refused(ignoring: ei.Registration, tmp_path: Path) -> None:
    sitk.WriteTransform(sitk.TranslationTransform(2, MOTION.tolist()), str(tmp_path / "start.tfm"))
    for start, use in ((ignoring, "true"), (tmp_path / "start.tfm", "false")):
        with pytest.raises(InputError, match="UseDirectionCosines is"):
            ei.register(*_pair(OBLIQUE), _map(use, 1), initial_transform=start, threads=1)


def test_stages_that_differ_are_refused_where_it_matters(tmp_path: Path) -> None:
    maps = [_map("false", 2), _map("true", 2)]
    with pytest.raises(InputError, match=r'"false" for .*\.0\.txt, "true" for .*\.1\.txt'):
        ei.register(*_pair(OBLIQUE), maps, threads=1)
    ei.register(*_pair(STRAIGHT), maps, threads=1, out=tmp_path / "out")
