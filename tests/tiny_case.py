"""The smallest case that is registered: two 2-D images, landmarks, one translation or two; a fraction of a second."""

import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from small_case import write_points

MAP = """\
(Registration "MultiResolutionRegistration")
(FixedImageDimension 2)
(MovingImageDimension 2)
(FixedImagePyramid "FixedSmoothingImagePyramid")
(MovingImagePyramid "MovingSmoothingImagePyramid")
(Interpolator "LinearInterpolator")
(ResampleInterpolator "FinalLinearInterpolator")
(Resampler "DefaultResampler")
(Transform "TranslationTransform")
(Optimizer "AdaptiveStochasticGradientDescent")
(Metric "AdvancedMeanSquares")
(ImageSampler "RandomCoordinate")
(NewSamplesEveryIteration "true")
(NumberOfSpatialSamples 100)
(NumberOfResolutions 1)
(MaximumNumberOfIterations 8)
(AutomaticTransformInitialization "false")
(AutomaticParameterEstimation "true")
(ResultImageFormat "mhd")
(ResultImagePixelType "float")
"""


def write_tiny_case(folder: Path, *, stages: int = 1) -> Path:
    """Write the case by the names of the folder contract, with as many maps; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:20, :22] * 2.0
    for name, shift in (("FixedImage", 0.0), ("MovingImage", 3.0)):
        blob = 100 * np.exp(-(((x - 22 - shift) / 9) ** 2) - ((y - 18) / 7) ** 2)
        image = sitk.GetImageFromArray(blob.astype(np.float32))
        image.SetSpacing((2.0, 2.0))
        sitk.WriteImage(image, str(folder / f"{name}.mha"))
    points = np.array([[10.0, 12.0], [20.0, 20.0], [30.0, 22.0]])
    write_points(folder / "Fixed_landmarks.txt", points)
    write_points(folder / "Moving_landmarks.txt", points + np.array([3.0, 0.0]))
    for stage in range(stages):
        (folder / (f"ParameterMap.{stage}.txt" if stage else "ParameterMap.txt")).write_text(MAP)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    """All files below a folder, what an unfinished run left excepted."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    named = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    return {name: held for name, held in named.items() if not name.startswith("unfinished-run/")}


def record_in(folder: Path) -> dict:
    """The record of the run in a folder."""
    return json.loads((folder / "registration.json").read_text())
