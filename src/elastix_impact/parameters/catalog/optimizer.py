"""Step sizes and stopping of the optimisers."""

from functools import partial

from elastix_impact.parameters.entry import Parameter

_both = partial(Parameter, component="Optimizer", indexing="level")
_asgd = partial(Parameter, component="AdaptiveStochasticGradientDescent", indexing="level")
_asgd_once = partial(Parameter, component="AdaptiveStochasticGradientDescent")

_regular = partial(Parameter, component="RegularStepGradientDescent", indexing="level")
_lbfgs = partial(Parameter, component="QuasiNewtonLBFGS", indexing="level")
_adam = partial(Parameter, component="Adam", indexing="level")

OPTIMIZER_PARAMETERS: tuple[Parameter, ...] = (
    _both(
        name="MaximumNumberOfIterations", kind="int", default="500", minimum=0,
        help="Iterations per level at most. Default: 500, for QuasiNewtonLBFGS 100.",
    ),
    _both(
        name="MaximumNumberOfSamplingAttempts", kind="int", default="0", minimum=0,
        help="How often new samples are drawn in place of ones that do not map into the moving image.",
    ),
    _both(
        name="SP_a", kind="float", default="400", above=0,
        help="a of the step size a / (A + t) ** alpha; estimated where AutomaticParameterEstimation is on.",
    ),
    _both(
        name="SP_A", kind="float", minimum=0,
        help="A of the step size. Default: 20, for StandardGradientDescent 50.",
    ),
    _both(
        name="SP_alpha", kind="float", default="0.602", minimum=0,
        help="alpha of the step size; 1 where AutomaticParameterEstimation is on.",
    ),
    _asgd(
        name="AutomaticParameterEstimation", kind="bool", default="true",
        help="Whether the step size is estimated from the images before each level.",
    ),
    _asgd_once(
        name="ASGDParameterEstimationMethod", kind="text", default="Original",
        allowed=("Original", "OriginalButSigmoidToDefault", "DisplacementDistribution"),
        help="How it is estimated; DisplacementDistribution is fast for many parameters.",
    ),
    _asgd_once(
        name="MaximumDisplacementEstimationMethod", kind="text", default="2sigma", allowed=("2sigma", "95percentile"),
        help="What DisplacementDistribution takes for the largest displacement.",
    ),
    _asgd_once(
        name="NoiseCompensation", kind="bool", default="true",
        help="Whether DisplacementDistribution allows for the noise of random samples.",
    ),
    _both(
        name="MaximumStepLength", kind="float", above=0,
        help="Largest first step of a voxel in mm. Default: mean in-plane voxel size of both images. "
        "RegularStepGradientDescent: length of the first step in parameter units; default: 16 / 2 ** level.",
    ),
    _asgd(
        name="MaximumStepLengthRatio", kind="float", default="1", above=0, help="Factor on MaximumStepLength's default."
    ),
    _asgd(
        name="NumberOfGradientMeasurements", kind="int", default="0", minimum=0,
        help="Gradients measured for the estimate, 0 = as many as needed.",
    ),
    _asgd(
        name="NumberOfJacobianMeasurements", kind="int", minimum=1,
        help="Points whose Jacobians are measured. Default: the number of parameters, at least 1000.",
    ),
    _asgd(
        name="NumberOfSamplesForExactGradient", kind="int", default="100000", minimum=1,
        help="Points of the nearly exact gradient; by default 25000 in IMPACT's Jacobian mode.",
    ),
    _asgd(
        name="SigmoidScaleFactor", kind="float", default="0.1", above=0, help="Width of the sigmoid when estimated."
    ),
    _asgd(
        name="SigmoidInitialTime", kind="float", default="0", minimum=0,
        help="Time at the first step; larger = smaller first steps.",
    ),
    _asgd(
        name="UseAdaptiveStepSizes", kind="bool", default="true", aliases=("UseCruzAcceleration",),
        help="Whether time runs slower while successive gradients agree (off with UseRandomSampleRegion).",
    ),
    _asgd(name="UseConstantStep", kind="bool", default="false", help="Whether all steps are as large as the first."),
    _asgd(name="SigmoidMax", kind="float", default="1", above=0, help="Largest step of time; not when estimated."),
    _asgd(name="SigmoidMin", kind="float", default="-0.8", help="Smallest step of time, below 0; not when estimated."),
    _asgd(name="SigmoidScale", kind="float", default="1e-8", above=0, help="Width of the sigmoid; not when estimated."),
    _asgd(
        name="MaxBandCovSize", kind="int", default="192", minimum=1, effect=False,
        help="Size of the blocks in which elastix estimates covariances.",
    ),
    _asgd(
        name="NumberOfBandStructureSamples", kind="int", default="10", minimum=1, effect=False,
        help="Points from which elastix finds the structure of those blocks.",
    ),
    _regular(
        name="MinimumStepLength", kind="float", above=0,
        help="Step length at which regular steps stop. Default: 0.5 / 2 ** level.",
    ),
    _regular(
        name="RelaxationFactor", kind="float", default="0.5", above=0,
        help="Factor on regular steps after a turn, below 1.",
    ),
    _regular(
        name="MinimumGradientMagnitude", kind="float", default="1e-8", minimum=0,
        help="Gradient magnitude at which regular steps stop.",
    ),
    _lbfgs(name="StepLength", kind="float", default="1", above=0, help="First step that LBFGS's line search tries."),
    _lbfgs(
        name="LBFGSUpdateAccuracy", kind="int", default="5", minimum=0,
        help="Steps that LBFGS remembers; 0 = steepest descent.",
    ),
    _lbfgs(
        name="GradientMagnitudeTolerance", kind="float", default="0.000001", minimum=0,
        help="Gradient magnitude, relative to that of the parameters if above 1, at which LBFGS stops.",
    ),
    _lbfgs(
        name="LineSearchValueTolerance", kind="float", default="0.0001", above=0,
        help="First Wolfe condition: share of the decrease that the slope promises.",
    ),
    _lbfgs(
        name="LineSearchGradientTolerance", kind="float", default="0.9", above=0,
        help="Second Wolfe condition: share of the slope that may be left, below 1.",
    ),
    _lbfgs(
        name="MaximumNumberOfLineSearchIterations", kind="int", default="20", minimum=1,
        help="Evaluations of a line search at most.",
    ),
    _lbfgs(
        name="StopIfWolfeNotSatisfied", kind="bool", default="true",
        help="Whether a line search that finds no point which fulfils the Wolfe conditions ends the level.",
    ),
    _lbfgs(
        name="GenerateLineSearchIterations", kind="bool", indexing="once", default="false", effect=False,
        help="Whether trials within a line search get rows in elastix's iteration table.",
    ),
    _adam(
        name="LearningRate", kind="float", default="0.1", above=0,
        help="First step of Adam (this project's own), in parameter units: mm for a B-spline.",
    ),
    _adam(name="Beta1", kind="float", default="0.9", minimum=0, help="Adam's memory of gradients, below 1."),
    _adam(name="Beta2", kind="float", default="0.999", minimum=0, help="Adam's memory of their squares, below 1."),
    _adam(
        name="Epsilon", kind="float", default="1e-8", above=0,
        help="Root mean square of a gradient's component below which Adam's steps shrink.",
    ),
    _adam(
        name="UseCosineDecay", kind="bool", default="true",
        help="Whether Adam's steps shrink to 0 along half a cosine over the iterations.",
    ),
)  # fmt: skip
