"""Golden values of our own, for clones without ../shared: what itk-elastix makes of a small phantom.

Usage: python -m tools.golden [--to tests/reference/golden_phantom.json]. The images are made from the demo's formulas,
so that nothing but numbers is kept: the metric of each iteration, the result's parameters, where it takes points, the
resampled image there, the landmark error. All voxels are samples and no gain is estimated, so chance has no part in it.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.io.images import write_image
from elastix_impact.phantoms.anatomy import chest, inverse_motion, motion, random_waves

GRID = Grid.axis_aligned((26, 22, 22), (9.0, 9.0, 9.0), (-112.5, -94.5, -94.5))
TARGET = Path(__file__).resolve().parents[1] / "tests" / "reference" / "golden_phantom.json"
_COMMON = """(FixedInternalImagePixelType "float")
(MovingInternalImagePixelType "float")
(FixedImageDimension 3)
(MovingImageDimension 3)
(UseDirectionCosines "true")
(Registration "MultiResolutionRegistration")
(NumberOfResolutions 2)
(FixedImagePyramid "FixedSmoothingImagePyramid")
(MovingImagePyramid "MovingSmoothingImagePyramid")
(ImagePyramidSchedule 2 2 2 1 1 1)
(Interpolator "LinearInterpolator")
(ResampleInterpolator "FinalBSplineInterpolator")
(FinalBSplineInterpolationOrder 3)
(Resampler "DefaultResampler")
(HowToCombineTransforms "Compose")
(Optimizer "StandardGradientDescent")
(MaximumNumberOfIterations 12)
(SP_A 10)
(SP_alpha 0.602)
(ImageSampler "Full")
(NewSamplesEveryIteration "false")
(ErodeMask "false")
(DefaultPixelValue -1000)
(WriteResultImage "true")
(ResultImageFormat "mha")
(ResultImagePixelType "float")
"""
MAPS = {
    "affine, mean squares": _COMMON
    + """(Transform "AffineTransform")
(AutomaticTransformInitialization "false")
(AutomaticScalesEstimation "false")
(Scales 10000 10000 10000 10000 10000 10000 10000 10000 10000 1 1 1)
(Metric "AdvancedMeanSquares")
(SP_a 0.003)
""",
    "spline, correlation": _COMMON
    + """(Transform "BSplineTransform")
(FinalGridSpacingInPhysicalUnits 60)
(Metric "AdvancedNormalizedCorrelation")
(SP_a 60000)
""",
    "spline, mutual information": _COMMON
    + """(Transform "BSplineTransform")
(FinalGridSpacingInPhysicalUnits 60)
(Metric "AdvancedMattesMutualInformation")
(NumberOfHistogramBins 24)
(SP_a 1500)
""",
}


def write_case(folder: Path) -> tuple[Path, Path]:
    """Write the chest, and the chest breathed in, into a folder: whole Hounsfield units, without noise."""
    waves, world_points = random_waves(torch.Generator().manual_seed(1)), GRID.world_points()
    paths = folder / "fixed.mha", folder / "moving.mha"
    for path, tissue in zip(paths, (world_points, inverse_motion(world_points))):
        write_image(path, chest(tissue, waves).round().float().reshape(GRID.shape), GRID, pixel_type="short")
    return paths


def landmarks() -> torch.Tensor:
    """World points (60, 3) in mm inside the chest, float64."""
    unit = torch.rand(60, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return ((2 * unit - 1) * torch.tensor([70.0, 45.0, 70.0])).round()


def elastix_says(folder: Path, text: str) -> dict[str, object]:
    """What itk-elastix makes of the case with a map."""
    import itk

    images = [itk.imread(str(path), itk.F) for path in write_case(folder)]
    (folder / "map.txt").write_text(text)
    parameters = itk.ParameterObject.New()
    parameters.AddParameterFile(str(folder / "map.txt"))
    options = {"output_directory": str(folder), "log_to_console": False, "log_to_file": True}
    result, transform = itk.elastix_registration_method(*images, parameter_object=parameters, **options)
    points = landmarks()
    lines = [" ".join(f"{value:.1f}" for value in point) for point in points.tolist()]
    (folder / "points.txt").write_text("\n".join(["point", str(len(lines)), *lines]) + "\n")
    itk.transformix_filter(
        images[1], transform_parameter_object=transform, output_directory=str(folder),
        fixed_point_set_file_name=str(folder / "points.txt"),
    )  # fmt: skip
    said = (folder / "outputpoints.txt").read_text().splitlines()
    mapped = [[float(word) for word in line.split("OutputPoint = [")[1].split("]")[0].split()] for line in said]
    voxels = itk.array_from_image(result).ravel()
    return {
        "map": text.splitlines(),
        "metric": [metric_of(folder / f"IterationInfo.0.R{level}.txt") for level in (0, 1)],
        "parameters": [round(float(p), 6) for p in transform.GetParameter(0, "TransformParameters")],
        "mapped": np.round(mapped, 4).tolist(),
        "resampled": [round(float(value), 2) for value in voxels[:: len(voxels) // 200]],
        "tre": landmark_error(np.array(mapped)),
    }


def metric_of(table: Path) -> list[float]:
    """The metric of each iteration in a table of elastix or ours."""
    head, *rows = (line.split("\t") for line in table.read_text().splitlines())
    column = next(k for k, name in enumerate(head) if name.strip() == "2:Metric")
    return [float(row[column]) for row in rows]


def landmark_error(mapped: np.ndarray) -> float:
    """Mean distance in mm of mapped landmarks (N, 3) from where the tissue went, by the motion's formula."""
    return float(np.linalg.norm(mapped - motion(landmarks()).numpy(), axis=1).mean())


def main() -> int:
    """Make the values anew and write them."""
    parser = argparse.ArgumentParser(prog="python -m tools.golden", description=__doc__)
    parser.add_argument("--to", type=Path, default=TARGET)
    target = parser.parse_args().to
    values = {}
    for name, text in MAPS.items():
        with tempfile.TemporaryDirectory() as folder:
            values[name] = elastix_says(Path(folder), text)
    values["before"] = landmark_error(landmarks().numpy())
    target.write_text(json.dumps(values).replace('], "', '],\n"').replace('}, "', '},\n"') + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
