"""A small case on disk for end-to-end tests: two analytic volumes, a known motion, landmarks, a MIND map."""

import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from elastix_impact.cli.main import main
from elastix_impact.zoo.export.mind import export_mind

SIZE = (28, 24, 20)
SPACING = (4.0, 4.0, 4.0)
ORIGIN = (-60.0, 40.0, -1000.0)
MOTION = np.array([5.0, -4.0, 3.0])
"""mm; the fixed point x shows what the moving point x + MOTION shows."""

MAP = """\
// static MIND, B-spline, two short levels
(Registration "MultiResolutionRegistration")
(NumberOfResolutions 2)
(FixedImagePyramid "FixedGenericImagePyramid")
(MovingImagePyramid "MovingGenericImagePyramid")
(ImagePyramidRescaleSchedule 1 1 1 1 1 1)
(ImagePyramidSmoothingSchedule 1 1 1 0 0 0)
(Interpolator "LinearInterpolator")
(ResampleInterpolator "FinalBSplineInterpolator")
(FinalBSplineInterpolationOrder 3)
(Resampler "DefaultResampler")
(Transform "BSplineTransform")
(FinalGridSpacingInPhysicalUnits 32)
(HowToCombineTransforms "Compose")
(Optimizer "AdaptiveStochasticGradientDescent")
(MaximumNumberOfIterations 40)
(MaximumStepLength 1.0)
(AutomaticParameterEstimation "true")
(ImageSampler "RandomCoordinate")
(NumberOfSpatialSamples 500)
(NewSamplesEveryIteration "true")
(DefaultPixelValue -1000)
(ResultImageFormat "mha")
(ResultImagePixelType "short")
(Metric "Impact")
(ImpactModelsPath0 "/Data/Models/MIND/R1D2_3D.pt")
(ImpactDimension0 3)
(ImpactNumberOfChannels0 1)
(ImpactPatchSize0 0 0 0)
(ImpactVoxelSize0 4 4 4)
(ImpactLayersMask0 "1")
(ImpactSubsetFeatures0 12)
(ImpactPCA0 0)
(ImpactDistance0 "L2")
(ImpactLayersWeight0 1)
(ImpactMode "Static")
(ImpactGPU -1)
(ImpactFeaturesMapUpdateInterval -1)
(ImpactFeatureInterpolationOrder 1)
"""


def world_points(size: tuple[int, ...] = SIZE) -> np.ndarray:
    """World points in mm of the voxels, (z, y, x, 3)."""
    z, y, x = np.meshgrid(*(np.arange(n) for n in size[::-1]), indexing="ij")
    return np.stack([x, y, z], axis=-1) * np.array(SPACING) + np.array(ORIGIN)


def intensities(points: np.ndarray) -> np.ndarray:
    """A texture with an organ in it, as a function of world points in mm."""
    x, y, z = np.moveaxis(points - (np.array(ORIGIN) + 0.5 * np.array(SIZE) * np.array(SPACING)), -1, 0)
    organ = 600 / (1 + np.exp((np.sqrt((x / 38) ** 2 + (y / 32) ** 2 + (z / 26) ** 2) - 1) * 12))
    texture = 120 * np.sin(x / 7 + np.cos(y / 9)) * np.cos(y / 8) + 90 * np.sin(z / 6 + x / 15)
    return organ + texture - 400


def structures(points: np.ndarray) -> np.ndarray:
    """The organ's right half, 1, and left half, 2, as a function of world points in mm."""
    x, y, z = np.moveaxis(points - (np.array(ORIGIN) + 0.5 * np.array(SIZE) * np.array(SPACING)), -1, 0)
    organ = (x / 38) ** 2 + (y / 32) ** 2 + (z / 26) ** 2 < 1
    return organ * np.where(x < 0, 1, 2)


def write_volume(path: Path, values: np.ndarray, *, origin: tuple[float, ...] = ORIGIN) -> None:
    """Write a (z, y, x) volume of 16-bit integers."""
    image = sitk.GetImageFromArray(values.astype(np.int16))
    image.SetSpacing(SPACING)
    image.SetOrigin(origin)
    sitk.WriteImage(image, str(path))


def write_points(path: Path, points: np.ndarray) -> None:
    """Write landmarks in elastix's form."""
    rows = "\n".join(" ".join(f"{value:.6f}" for value in point) for point in points)
    path.write_text(f"point\n{len(points)}\n{rows}\n")


def write_small_case(folder: Path) -> Path:
    """Write the case into `folder` by the names of the folder contract; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    points = world_points()
    write_volume(folder / "FixedImage.mha", intensities(points))
    write_volume(folder / "MovingImage.mha", intensities(points - MOTION))
    random = np.random.default_rng(0)
    low = np.array(ORIGIN) + 20
    high = np.array(ORIGIN) + np.array(SIZE) * np.array(SPACING) - 24
    landmarks = random.uniform(low, high, (20, 3))
    write_points(folder / "Fixed_landmarks.txt", landmarks)
    write_points(folder / "Moving_landmarks.txt", landmarks + MOTION)
    (folder / "ParameterMap.txt").write_text(MAP)
    models = folder / "Models" / "MIND"
    models.mkdir(parents=True, exist_ok=True)
    export_mind(models / "R1D2_3D.pt", 1, 2, 3)
    return folder


def write_small_labels(folder: Path) -> None:
    """Write segmentations of both images into the folder of the case."""
    points = world_points()
    write_volume(folder / "Fixed_labels.nii.gz", structures(points))
    write_volume(folder / "Moving_labels.nii.gz", structures(points - MOTION))


def registered_with_lines(folder: Path, lines: list[str], mode: str, changes: dict[str, str]) -> tuple[float, float]:
    """Mean landmark error in mm before and after a short registration of the case by these lines of IMPACT.

    `mode` is ``"static"`` or ``"jacobian"``; `changes` replace parameters.
    """
    data = write_small_case(folder / "Data")
    text = [line for line in MAP.splitlines() if not line.startswith(("(Impact", "(Metric"))] + lines
    settings = {"ImpactVoxelSize0": "4"}
    if mode == "jacobian":
        settings = {"ImpactVoxelSize0": "2", "NumberOfSpatialSamples": "200", "NumberOfSamplesForExactGradient": "200"}
    for key, value in (settings | changes).items():
        text = [line for line in text if not line.startswith(f"({key} ")] + [f"({key} {value})"]
    (data / "ParameterMap.txt").write_text("\n".join(text) + "\n")
    assert main(["run", "--data", str(data), "--out", str(folder / "Out"), "--quiet", "--device", "cpu"]) == 0
    errors = json.loads((folder / "Out" / "registration.json").read_text())["landmarks_mm"]
    return errors["before"]["mean"], errors["after"]["mean"]
