"""Which points of the fixed image are compared, and how images are interpolated there."""

from elastix_impact.parameters.entry import Parameter

SAMPLER_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        name="NumberOfSpatialSamples", kind="int", default="5000", indexing="level", minimum=1,
        component="ImageSampler",
        help="Points drawn per iteration by random samplers.",
    ),
    Parameter(
        name="NewSamplesEveryIteration", kind="bool", default="false", indexing="level", component="ImageSampler",
        help="Whether random samplers draw anew in each iteration; stochastic optimisers need it.",
    ),
    Parameter(
        name="SampleGridSpacing", kind="int", default="2", indexing="level and axis", minimum=1,
        component="ImageSampler",
        help="Distance in voxels of the points of the Grid sampler, levels x axes; what is missing is 2.",
    ),
    Parameter(
        name="UseRandomSampleRegion", kind="bool", default="false", indexing="level", component="ImageSampler",
        help="Whether all samples of an iteration lie in one box at a random place (RandomCoordinate).",
    ),
    Parameter(
        name="SampleRegionSize", kind="float", indexing="level and axis", above=0, component="ImageSampler",
        help="Side of that box in mm; one number, or levels x axes. Default: a third of the image's longest side.",
    ),
    Parameter(
        name="SampleWhereBothSee", kind="bool", default="false", indexing="level", component="ImageSampler",
        help="Whether samples are drawn only where, as the transform lies when a level begins, both images were seen: "
        "inside their boxes without constant padding, and in the moving mask (ours, not elastix's).",
    ),
    Parameter(
        name="FixedMaskMargin", kind="float", default="0", indexing="level", minimum=0, component="ImageSampler",
        help="By how many mm the fixed mask is made larger (ours, not elastix's).",
    ),
    Parameter(
        name="FixedImageBSplineInterpolationOrder", kind="int", default="1", indexing="level", minimum=0,
        component="ImageSampler", effect=False,
        help="Spline order of fixed intensities between voxels; IMPACT compares features, not intensities.",
    ),
    Parameter(
        name="BSplineInterpolationOrder", kind="int", default="1", indexing="level", component="Interpolator",
        allowed=("0", "1", "2", "3"), help="Spline order of the BSplineInterpolator for the moving image.",
    ),
)  # fmt: skip
