"""Which elastix components run natively, and what the plan calls them. One plain table per kind."""

from __future__ import annotations

from typing import Literal

from .metric_plan import MetricKind
from .optimizer_plan import OptimizerKind
from .plan import LinearKind, PyramidKind, SamplerKind, SplineKind

TRANSFORMS: dict[str, LinearKind | SplineKind] = {
    "TranslationTransform": "Translation",
    "EulerTransform": "Euler",
    "SimilarityTransform": "Similarity",
    "AffineTransform": "Affine",
    "AffineLogTransform": "AffineLog",
    "BSplineTransform": "BSpline",
    "RecursiveBSplineTransform": "RecursiveBSpline",
}
METRICS: dict[str, MetricKind] = {
    "Impact": "Impact",
    "AdvancedMeanSquares": "MeanSquares",
    "AdvancedNormalizedCorrelation": "Correlation",
    "LocalNormalizedCorrelation": "LocalCorrelation",
    "AdvancedMattesMutualInformation": "Mattes",
    "NormalizedMutualInformation": "Normalized",
    "TransformBendingEnergyPenalty": "BendingEnergy",
    "TransformFoldingPenalty": "Folding",
    "DisplacementMagnitudePenalty": "DisplacementMagnitude",
    "CorrespondingPointsEuclideanDistanceMetric": "CorrespondingPoints",
}
OPTIMIZERS: dict[str, OptimizerKind] = {
    "AdaptiveStochasticGradientDescent": "Asgd",
    "StandardGradientDescent": "GradientDescent",
    "RegularStepGradientDescent": "RegularStep",
    "QuasiNewtonLBFGS": "Lbfgs",
    "Adam": "Adam",
}
SAMPLERS: dict[str, SamplerKind] = {
    "Full": "Full",
    "Grid": "Grid",
    "Random": "Random",
    "RandomCoordinate": "RandomCoordinate",
    "RandomSparseMask": "RandomSparseMask",
}
INTERPOLATORS: dict[str, Literal["Nearest", "Linear", "BSpline"]] = {
    "NearestNeighborInterpolator": "Nearest",
    "LinearInterpolator": "Linear",
    "BSplineInterpolator": "BSpline",
}
RESAMPLE_INTERPOLATORS: dict[str, Literal["Nearest", "Linear", "BSpline"]] = {
    f"Final{name}": kind for name, kind in INTERPOLATORS.items()
}
RESAMPLERS: dict[str, Literal["Default"]] = {"DefaultResampler": "Default"}
REGISTRATIONS: dict[str, Literal["MultiResolution", "MultiMetric"]] = {
    "MultiResolutionRegistration": "MultiResolution",
    "MultiMetricMultiResolutionRegistration": "MultiMetric",
}
_PYRAMIDS: tuple[PyramidKind, ...] = ("Generic", "Smoothing", "Recursive", "Shrinking")
FIXED_PYRAMIDS: dict[str, PyramidKind] = {f"Fixed{kind}ImagePyramid": kind for kind in _PYRAMIDS}
MOVING_PYRAMIDS: dict[str, PyramidKind] = {f"Moving{kind}ImagePyramid": kind for kind in _PYRAMIDS}

TWINS: dict[str, str] = {
    "OpenCLFixedGenericImagePyramid": "FixedGenericImagePyramid",
    "OpenCLMovingGenericImagePyramid": "MovingGenericImagePyramid",
    "BSplineInterpolatorFloat": "BSplineInterpolator",
    "FinalBSplineInterpolatorFloat": "FinalBSplineInterpolator",
    "OpenCLResampler": "DefaultResampler",
    "MultiInputRandomCoordinate": "RandomCoordinate",
}
"""Components that do the same as a native one, with one image pair."""

FOREIGN: dict[str, tuple[str, ...]] = {
    "Registration": ("MultiResolutionRegistrationWithFeatures",),
    "Transform": (
        "AffineDTITransform", "AffineLogStackTransform", "BSplineStackTransform", "DeformationFieldTransform",
        "EulerStackTransform", "ExternalTransform", "MultiBSplineTransformWithNormal", "SplineKernelTransform",
        "TranslationStackTransform", "WeightedCombinationTransform",
    ),
    "Metric": (
        "AdvancedKappaStatistic", "DistancePreservingRigidityPenalty", "GradientDifference", "MissingStructurePenalty",
        "NormalizedGradientCorrelation", "PCAMetric", "PCAMetric2", "PatternIntensity", "PolydataDummyPenalty",
        "StatisticalShapePenalty", "SumOfPairwiseCorrelationCoefficientsMetric", "SumSquaredTissueVolumeDifference",
        "TransformRigidityPenalty", "VarianceOverLastDimensionMetric",
    ),
    "Optimizer": (
        "CMAEvolutionStrategy", "ConjugateGradient", "ConjugateGradientFRPR", "FiniteDifferenceGradientDescent",
        "FullSearch", "Powell", "PreconditionedStochasticGradientDescent", "RSGDEachParameterApart", "Simplex",
        "SimultaneousPerturbation",
    ),
    "Interpolator": ("RayCastInterpolator", "ReducedDimensionBSplineInterpolator"),
    "ResampleInterpolator": ("FinalRayCastInterpolator", "FinalReducedDimensionBSplineInterpolator"),
}  # fmt: skip
"""Components that run in itk-elastix."""

NOT_BUILT: dict[str, tuple[str, ...]] = {
    "Transform": ("BSplineTransformWithDiffusion",),
    "Metric": ("KNNGraphAlphaMutualInformation",),
    "Optimizer": ("AdaGrad", "AdaptiveStochasticLBFGS", "AdaptiveStochasticVarianceReducedGradient"),
}
"""elastix's other components, which itk-elastix is built without."""

NATIVE_ONLY: tuple[str, ...] = (
    "Adam", "LocalNormalizedCorrelation", "OpenCLFixedGenericImagePyramid", "OpenCLMovingGenericImagePyramid",
    "OpenCLResampler", "TransformFoldingPenalty",
)  # fmt: skip
"""Components that run natively, or as their twins, and not in itk-elastix."""
