"""Which parts a registration is made of. Which of them run natively: `native`."""

from elastix_impact.parameters.entry import Parameter

COMPONENT_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        name="Registration", kind="text", indexing="list", default="MultiResolutionRegistration",
        help="How levels and metrics are combined.",
    ),
    Parameter(name="Transform", kind="text", help="The deformation that is sought. Required."),
    Parameter(
        name="Metric", kind="text", indexing="list",
        help='What makes two images alike, e.g. "Impact"; several names = one metric each. Required.',
    ),
    Parameter(name="Optimizer", kind="text", indexing="list", help="How the metric is minimised. Required."),
    Parameter(
        name="ImageSampler", kind="text", indexing="list",
        help="Which points of the fixed image are compared. Required by all metrics on images.",
    ),
    Parameter(
        name="Interpolator", kind="text", indexing="list", default="BSplineInterpolator",
        help="How the moving image is interpolated during registration.",
    ),
    Parameter(
        name="ResampleInterpolator", kind="text", indexing="list", default="FinalBSplineInterpolator",
        help="How the moving image is interpolated for the result image.",
    ),
    Parameter(
        name="Resampler", kind="text", indexing="list", default="DefaultResampler", help="What makes the result image."
    ),
    Parameter(
        name="FixedImagePyramid", kind="text", indexing="list", default="FixedSmoothingImagePyramid",
        help="How the fixed image is smoothed and shrunk per level.",
    ),
    Parameter(
        name="MovingImagePyramid", kind="text", indexing="list", default="MovingSmoothingImagePyramid",
        help="How the moving image is smoothed and shrunk per level.",
    ),
)  # fmt: skip
