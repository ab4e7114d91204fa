"""The classic chain of maps: rigid, affine, then a B-spline with IMPACT on MIND."""

from pathlib import Path

from elastix_impact.zoo.export.mind import export_mind

FRAME = """\
(Registration "MultiResolutionRegistration")
(FixedImagePyramid "FixedSmoothingImagePyramid")
(MovingImagePyramid "MovingSmoothingImagePyramid")
(Interpolator "LinearInterpolator")
(Resampler "DefaultResampler")
(ResampleInterpolator "FinalBSplineInterpolator")
(Optimizer "AdaptiveStochasticGradientDescent")
(ImageSampler "RandomCoordinate")
(NewSamplesEveryIteration "true")
(HowToCombineTransforms "Compose")
(RequiredRatioOfValidSamples 0.05)
(ResultImageFormat "mha")
"""

LINEAR = """\
(Transform "{transform}")
(Metric "AdvancedMattesMutualInformation")
(NumberOfHistogramBins 32)
(NumberOfSpatialSamples 3000)
(NumberOfResolutions 3)
(MaximumNumberOfIterations 250)
(AutomaticScalesEstimation "true")
(WriteResultImage "false")
"""

_SPLINE = """\
(Transform "BSplineTransform")
(Metric "Impact")
(ImpactMode "Static")
(ImpactModelsPath0 "mind.pt")
(ImpactModelsPath1 "mind.pt")
(ImpactNumberOfChannels0 1)
(ImpactLayersMask0 "1")
(ImpactSubsetFeatures0 12)
(ImpactLayersWeight0 1)
(ImpactDistance0 "L2")
(NumberOfSpatialSamples 2000)
(NumberOfResolutions 2)
(MaximumNumberOfIterations 200)
"""


def write_chain(
    folder: Path, dimension: int, *, voxel_size: float, grid_spacing: float, initialise_by: str | None
) -> tuple[Path, ...]:
    """Three maps and a MIND model in `folder`; sizes in mm. `initialise_by` None starts from the identity."""
    folder.mkdir(parents=True, exist_ok=True)
    export_mind(folder / "mind.pt", 1, 2, dimension)
    texts = [FRAME + LINEAR.format(transform=f"{kind}Transform") for kind in ("Euler", "Affine")]
    if initialise_by:
        texts[0] += '(AutomaticTransformInitialization "true")\n'
        texts[0] += f'(AutomaticTransformInitializationMethod "{initialise_by}")\n'

    def axes(value: float) -> str:
        return " ".join([f"{value:g}"] * dimension)

    levels = {
        "FinalGridSpacingInPhysicalUnits": axes(grid_spacing), "GridSpacingSchedule": f"{axes(2)} {axes(1)}",
        "FixedImagePyramidSchedule": f"{axes(2)} {axes(1)}", "MovingImagePyramidSchedule": f"{axes(2)} {axes(1)}",
        "ImpactDimension0": dimension, "ImpactDimension1": dimension, "ImpactPatchSize0": axes(0),
        "ImpactVoxelSize0": axes(2 * voxel_size), "ImpactVoxelSize1": axes(voxel_size),
    }  # fmt: skip
    texts.append(FRAME + _SPLINE + "".join(f"({name} {value})\n" for name, value in levels.items()))
    paths = tuple(folder / f"{number}.txt" for number in range(len(texts)))
    for path, text in zip(paths, texts):
        path.write_text(text, encoding="ascii")
    return paths
