"""Metrics beside IMPACT, and the weights of several."""

from functools import partial

from elastix_impact.parameters.entry import Parameter

_frame = partial(Parameter, component="MultiMetricMultiResolutionRegistration")
_metric = partial(Parameter, component="Metric", indexing="level")

METRIC_PARAMETERS: tuple[Parameter, ...] = (
    _frame(
        name="MetricWeight", kind="float", indexing="level",
        help="Weight of a metric among several: Metric0Weight, Metric1Weight ... Default: 1 / number of metrics.",
    ),
    _frame(
        name="MetricRelativeWeight", kind="float", indexing="level",
        help="The same with UseRelativeWeights: Metric0RelativeWeight ...",
    ),
    _frame(
        name="MetricUse", kind="bool", default="true", indexing="level",
        help="Whether a metric drives the optimiser: Metric0Use ...",
    ),
    _frame(
        name="UseRelativeWeights", kind="bool", default="false",
        help="Whether weights are relative to gradient magnitudes.",
    ),
    _frame(
        name="RepeatWhileFolding", kind="bool", default="false", indexing="level",
        help="Whether a level whose deformation folds where samples are drawn is repeated with a larger weight of "
        "TransformBendingEnergyPenalty, which later levels keep (ours, not elastix's).",
    ),
    _metric(
        name="LocalCorrelationVoxelSize", kind="float", default="0", minimum=0,
        help="Distance in mm, at least, of the points that LocalNormalizedCorrelation compares; 0: the fixed image's "
        "voxels (ours, not elastix's).",
    ),
    _metric(
        name="LocalCorrelationRadius", kind="int", default="2", minimum=1,
        help="Windows of LocalNormalizedCorrelation have 2 * radius + 1 of these points per axis (ours, not "
        "elastix's).",
    ),
    _metric(
        name="LocalCorrelationStride", kind="int", default="1", minimum=1,
        help="These windows lie around every so many-th of these points per axis: 2 costs a quarter of the sums (ours, "
        "not elastix's).",
    ),
    _metric(
        name="BendingEnergyAtControlPoints", kind="bool", default="false",
        help="Whether TransformBendingEnergyPenalty is the mean over all control points instead of over samples: "
        "cheaper, and without noise (ours, not elastix's).",
    ),
    _metric(
        name="FoldingThreshold", kind="float", default="0.3", above=0,
        help="To which share of its volume a place may shrink before TransformFoldingPenalty counts it (ours, not "
        "elastix's).",
    ),
    _metric(
        name="NumberOfHistogramBins", kind="int", default="32", minimum=4, help="Bins of the joint histogram."
    ),
    _metric(
        name="NumberOfFixedHistogramBins", kind="int", minimum=4,
        help="Bins for the fixed image. Default: NumberOfHistogramBins.",
    ),
    _metric(
        name="NumberOfMovingHistogramBins", kind="int", minimum=4,
        help="Bins for the moving image. Default: NumberOfHistogramBins.",
    ),
    _metric(
        name="FixedKernelBSplineOrder", kind="int", default="0", allowed=("0", "1", "2", "3"),
        help="Parzen window of the fixed image.",
    ),
    _metric(
        name="MovingKernelBSplineOrder", kind="int", default="3", allowed=("1", "2", "3"),
        help="Parzen window of the moving image.",
    ),
    _metric(
        name="FixedLimitRangeRatio", kind="float", default="0.01", minimum=0,
        help="Margin of the histogram for the fixed image, as a share of its range.",
    ),
    _metric(
        name="MovingLimitRangeRatio", kind="float", default="0.01", minimum=0,
        help="Margin of the histogram for the moving image, as a share of its range.",
    ),
    _metric(
        name="UseNormalization", kind="bool", default="false",
        help="Whether mean squares are divided by the intensity range.",
    ),
)  # fmt: skip
