"""A small parameter map that resolves without remark, and changes to it."""

MAP = {
    "Registration": '"MultiResolutionRegistration"', "NumberOfResolutions": "2", "FixedImageDimension": "3",
    "FixedImagePyramid": '"FixedGenericImagePyramid"', "MovingImagePyramid": '"MovingGenericImagePyramid"',
    "Interpolator": '"LinearInterpolator"', "Transform": '"BSplineTransform"',
    "Optimizer": '"AdaptiveStochasticGradientDescent"', "ImageSampler": '"RandomCoordinate"',
    "NewSamplesEveryIteration": '"true"', "Metric": '"Impact"', "ImpactMode": '"Static"',
    "ImpactModelsPath0": '"a.pt"', "ImpactDimension0": "3", "ImpactNumberOfChannels0": "1",
    "ImpactPatchSize0": "0 0 0", "ImpactVoxelSize0": "6 6 6", "ImpactLayersMask0": '"01"',
    "ImpactSubsetFeatures0": "32", "ImpactDistance0": '"L2"', "ImpactLayersWeight0": "1",
}  # fmt: skip


def map_text(**changes: str | None) -> str:
    """The map as text, a parameter per line; None deletes one."""
    values = {name: value for name, value in (MAP | changes).items() if value is not None}
    return "\n".join(f"({name} {value})" for name, value in values.items())
