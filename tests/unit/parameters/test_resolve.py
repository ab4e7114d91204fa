"""Defaults, components, labels, dimension, several metrics and optimisers of a map."""

import pytest

from elastix_impact.parameters.metric_plan import PenaltyPlan
from elastix_impact.parameters.optimizer_plan import AsgdPlan, GradientDescentPlan

ONE_LEVEL = {"NumberOfResolutions": "1"}


def test_elastix_defaults(plan) -> None:
    """CONVENTIONS.md 3.1 and the reference's source, one by one."""
    made = plan(
        NumberOfResolutions=None, FixedImagePyramid=None, MovingImagePyramid=None, Interpolator=None, Registration=None
    )
    assert (made.dimension, made.random_seed, len(made.levels)) == (3, 121212, 3)
    assert (made.use_direction_cosines, made.how_to_combine_transforms) == (True, "Compose")
    assert (made.fixed_internal_pixel_type, made.initial_transform) == ("float", None)
    assert made.guard_stages is False
    level = made.levels[0]
    assert (level.terms[0].fixed_pyramid.kind, level.terms[0].moving_pyramid.kind) == ("Smoothing", "Smoothing")
    assert (level.terms[0].interpolation_order, level.terms[0].sampler.number_of_samples) == (1, 5000)
    assert (level.erode_fixed_mask, level.erode_moving_mask) == (True, True)
    assert (level.required_ratio_of_valid_samples, level.check_number_of_samples) == (0.25, True)
    assert (level.write_transform, level.write_result_image, level.write_pyramid_images) == (False,) * 3
    output = made.output
    assert (output.write_result_image, output.write_final_transform, output.write_iteration_info) == (True,) * 3
    assert (output.result_image_name, output.result_image_format) == ("result", "mhd")
    assert (output.result_image_pixel_type, output.compress_result_image) == ("short", False)
    assert (output.resample_interpolation_order, output.default_pixel_value) == (3, 0.0)
    assert (output.itk_transform_extension, output.write_itk_composite) == (None, False)
    assert output.transform_file_format == "txt"


def test_asgd_defaults(plan) -> None:
    assert plan().levels[0].optimizer == AsgdPlan(
        maximum_number_of_iterations=500, automatic_parameter_estimation=True, estimation="Original",
        use_adaptive_step_sizes=True, use_constant_step=False, maximum_step_length=None, maximum_step_length_ratio=1.0,
        number_of_gradient_measurements=0, number_of_jacobian_measurements=None,
        number_of_samples_for_exact_gradient=100000, sigmoid_scale_factor=0.1, noise_compensation=True,
        maximum_displacement_estimation="2sigma", maximum_number_of_sampling_attempts=0, sp_a=400.0, sp_A=20.0,
        sp_alpha=1.0, sigmoid_initial_time=0.0, sigmoid_max=1.0, sigmoid_min=-0.8, sigmoid_scale=1e-8,
    )  # fmt: skip


def test_asgd_without_estimation_reads_its_gains(plan) -> None:
    given = {"SP_a": "2", "SP_A": "3", "SP_alpha": "0.5", "SigmoidMin": "-0.3"}
    optimizer = plan(**given, AutomaticParameterEstimation='"false"').levels[0].optimizer
    assert (optimizer.sp_a, optimizer.sp_A, optimizer.sp_alpha, optimizer.sigmoid_min) == (2, 3, 0.5, -0.3)
    assert plan(AutomaticParameterEstimation='"false"').levels[0].optimizer.sp_alpha == 0.602
    estimated = plan(**given).levels[0].optimizer
    assert (estimated.sp_a, estimated.sp_A, estimated.sp_alpha) == (400, 3, 1)


def test_gradient_descent_defaults(plan) -> None:
    assert plan(Optimizer='"StandardGradientDescent"').levels[0].optimizer == GradientDescentPlan(
        maximum_number_of_iterations=500, maximum_number_of_sampling_attempts=0, sp_a=400, sp_A=50, sp_alpha=0.602
    )


def test_old_name_of_adaptive_steps(plan) -> None:
    assert plan(UseCruzAcceleration='"false"').levels[0].optimizer.use_adaptive_step_sizes is False


def test_a_short_list_falls_back_to_its_first_value(resolved) -> None:
    resolution = resolved(NumberOfResolutions="3", MaximumNumberOfIterations="100 200")
    assert resolution.plan is not None
    iterations = [level.optimizer.maximum_number_of_iterations for level in resolution.plan.levels]
    assert iterations == [100, 200, 100]
    (warning,) = (problem for problem in resolution.problems if problem.severity == "warning")
    assert warning.parameter == "MaximumNumberOfIterations"
    assert "2 values for 3 levels" in warning.message


def test_names_with_a_components_label_go_first(plan) -> None:
    made = plan(MaximumNumberOfIterations="10", Optimizer0MaximumNumberOfIterations="20 30")
    assert [level.optimizer.maximum_number_of_iterations for level in made.levels] == [20, 30]


# dimension


def test_dimension_is_found(plan) -> None:
    flat = {"FixedImageDimension": None, "ImpactVoxelSize0": "6 6", "ImpactPatchSize0": "0 0", "ImpactDimension0": "2"}
    assert plan(FixedImageDimension=None).dimension == 3
    assert plan(**flat).dimension == 2
    schedule = flat | {"ImagePyramidSchedule": "2 2 1 1", "ImpactVoxelSize0": "6"}
    assert plan(**schedule).dimension == 2
    assert plan(2, **flat).dimension == 2


def test_dimension_of_the_images_must_agree(resolved, only_error) -> None:
    (error,) = (problem for problem in resolved(2).problems if problem.parameter == "FixedImageDimension")
    assert error.severity == "error"
    assert "is 3, but the images have 2" in error.message
    assert "FixedImageDimension is 3" in only_error(MovingImageDimension="2").message


def test_dimension_4_is_one_error(only_error) -> None:
    assert only_error(FixedImageDimension="4").parameter == "FixedImageDimension"


def test_a_guessed_dimension_is_said(resolved) -> None:
    changes = {"FixedImageDimension": None, "ImpactDimension0": "2", "ImpactPatchSize0": "0", "ImpactVoxelSize0": "3"}
    assert any("checked for 3-D" in problem.message for problem in resolved(**changes).problems)


# components


@pytest.mark.parametrize(
    ("role", "name", "words"),
    [
        ("Optimizer", "CMAEvolutionStrategy", "does not run natively"),
        ("Transform", "BSplineStackTransform", "does not run natively"),
        ("Interpolator", "RayCastInterpolator", "does not run natively"),
        ("Registration", "MultiResolutionRegistrationWithFeatures", "does not run natively"),
        ("Transform", "BSplinTransform", "no Transform of elastix"),
        ("ImageSampler", "Sparse", "no ImageSampler of elastix"),
    ],
)
def test_components_that_are_not_native(only_error, role, name, words) -> None:
    error = only_error(**{role: f'"{name}"'})
    assert error.parameter == role
    assert name in error.message
    assert words in error.message
    assert "Native here: " in error.remedy


def test_a_map_with_foreign_components_and_without_impact_is_handed_on(resolved) -> None:
    resolution = resolved(Metric='"AdvancedKappaStatistic"', Optimizer='"CMAEvolutionStrategy"')
    assert resolution.plan is None
    assert resolution.handed_on is resolution.stage
    assert resolution.handed_on.components == ("CMAEvolutionStrategy", "AdvancedKappaStatistic")
    hints = [problem for problem in resolution.problems if problem.parameter in ("Metric", "Optimizer")]
    assert all(problem.severity == "hint" and "itk-elastix" in problem.message for problem in hints)
    wrong = resolved(Metric='"AdvancedKappaStatistic"', Transform='"BSplinTransform"')
    assert wrong.stage is None


def test_misspelt_component_suggests(only_error) -> None:
    assert '"BSplineTransform"' in only_error(Transform='"BSplinTransform"').remedy


TWO = {
    "Registration": '"MultiMetricMultiResolutionRegistration"',
    "Metric": '"Impact" "TransformBendingEnergyPenalty"',
}


def test_several_metrics_need_the_registration_for_several(only_error) -> None:
    error = only_error(Metric=TWO["Metric"])
    assert (error.parameter, error.message) == ("Metric", "2 metrics need another Registration")
    assert "MultiMetricMultiResolutionRegistration" in error.remedy


def test_several_metrics_have_weights_samplers_and_pyramids(plan) -> None:
    weights = {"Metric0Weight": "1.0 0.5", "Metric1Weight": "0.01"}
    first, second = plan(**TWO, **weights).levels
    assert [(term.name, term.weight) for term in first.terms] == [("Metric0", 1.0), ("Metric1", 0.01)]
    assert [term.weight for term in second.terms] == [0.5, 0.01]
    assert isinstance(first.terms[1].metric, PenaltyPlan)
    assert first.terms[0].sampler == first.terms[1].sampler
    assert [term.weight for term in plan(**TWO).levels[0].terms] == [0.5, 0.5]
    own = plan(**TWO, ImageSampler='"Random" "Grid"', ImageSampler0NumberOfSpatialSamples="77").levels[0]
    assert [term.sampler.kind for term in own.terms] == ["Random", "Grid"]
    assert own.terms[0].sampler.number_of_samples == 77
    pyramids = plan(**TWO, FixedImagePyramid='"FixedSmoothingImagePyramid" "FixedShrinkingImagePyramid"').levels[0]
    assert [term.fixed_pyramid.kind for term in pyramids.terms] == ["Smoothing", "Shrinking"]


def test_a_metric_may_be_off_at_a_level(plan, only_error) -> None:
    levels = plan(**TWO, Metric1Use='"true" "false"').levels
    assert [[term.name for term in level.terms] for level in levels] == [["Metric0", "Metric1"], ["Metric0"]]
    assert "uses no metric" in only_error(**TWO, Metric0Use='"false"', Metric1Use='"true" "false"').message


def test_relative_weights(plan) -> None:
    level = plan(**TWO, UseRelativeWeights='"true"', Metric1RelativeWeight="0.2", Metric1Weight="9").levels[0]
    assert level.use_relative_weights
    assert [term.weight for term in level.terms] == [0.5, 0.2]


def test_components_are_one_or_one_for_each_metric(only_error) -> None:
    error = only_error(**TWO, Interpolator='"LinearInterpolator" "LinearInterpolator" "LinearInterpolator"')
    assert (error.parameter, error.message) == ("Interpolator", "3 components for 2 metrics")


def test_a_label_belongs_to_the_component_that_reads_the_parameter(plan) -> None:
    """Metric0NumberOfSpatialSamples is no sampler's."""
    changes = {"Metric0NumberOfSpatialSamples": "5", "ImageSampler0NumberOfSpatialSamples": "6"}
    assert plan(**changes).levels[0].terms[0].sampler.number_of_samples == 6
    assert plan(Metric0NumberOfSpatialSamples="5").levels[0].terms[0].sampler.number_of_samples == 5000


MI = {"Metric": '"AdvancedMattesMutualInformation"'}


def test_mutual_information(plan, only_error) -> None:
    metric = plan(**MI).levels[0].terms[0].metric
    assert (metric.kind, metric.fixed_bins, metric.moving_bins) == ("Mattes", 32, 32)
    levels = plan(**MI, NumberOfHistogramBins="16 64", NumberOfMovingHistogramBins="20").levels
    assert [(one.terms[0].metric.fixed_bins, one.terms[0].metric.moving_bins) for one in levels] == [(16, 20), (64, 20)]
    assert "too small" in only_error(**MI, NumberOfHistogramBins="3").message
    assert "not possible" in only_error(**MI, MovingKernelBSplineOrder="0").message


@pytest.mark.parametrize("text", ["1e39", "-4e38"])
def test_numbers_that_no_image_holds_are_refused(only_error, text: str) -> None:
    assert f"{text} is too large" in only_error(DefaultPixelValue=text).message


@pytest.mark.parametrize("text", ["１", "2_0", "0x10", "nan", "1e999"])
def test_numbers_are_finite_and_in_ascii_digits(only_error, text: str) -> None:
    assert "is not a whole number" in only_error(MaximumNumberOfIterations=text).message


def test_whole_numbers_that_no_float_tells_apart_are_refused(only_error) -> None:
    assert "too large" in only_error(MaximumNumberOfIterations="99999999999999999999").message


def test_further_optimisers(plan, only_error) -> None:
    levels = plan(Optimizer='"RegularStepGradientDescent"', RelaxationFactor="0.8").levels
    lengths = [(one.optimizer.maximum_step_length, one.optimizer.minimum_step_length) for one in levels]
    assert lengths == [(16.0, 0.5), (8.0, 0.25)]
    assert levels[0].optimizer.relaxation_factor == 0.8
    assert "too large" in only_error(Optimizer='"RegularStepGradientDescent"', RelaxationFactor="1").message
    quasi = plan(Optimizer='"QuasiNewtonLBFGS"', LBFGSUpdateAccuracy="7").levels[0].optimizer
    assert (quasi.memory, quasi.step_length, quasi.line_search_iterations) == (7, 1.0, 20)
    assert (quasi.value_tolerance, quasi.gradient_tolerance, quasi.stop_if_wolfe_not_satisfied) == (1e-4, 0.9, True)
    assert (quasi.maximum_number_of_iterations, quasi.gradient_magnitude_tolerance) == (100, 1e-6)
    assert "0.9" in only_error(Optimizer='"QuasiNewtonLBFGS"', LineSearchValueTolerance="0.95").message
    adam = plan(Optimizer='"Adam"', LearningRate="0.3 0.1", Epsilon="1e-10").levels
    assert [one.optimizer.learning_rate for one in adam] == [0.3, 0.1]
    assert adam[0].optimizer.cosine_decay
    assert adam[0].optimizer.epsilon == 1e-10
    assert "too large" in only_error(Optimizer='"Adam"', Beta1="1").message


def test_regular_steps_keep_their_samples(resolved) -> None:
    resolution = resolved(Optimizer='"RegularStepGradientDescent"')
    assert [level.terms[0].sampler.new_samples_every_iteration for level in resolution.plan.levels] == [False, False]
    (warning,) = (problem for problem in resolution.problems if problem.severity == "warning")
    assert (warning.parameter, "keeps its samples" in warning.message) == ("NewSamplesEveryIteration", True)
    assert resolved(Optimizer='"QuasiNewtonLBFGS"').plan.levels[0].terms[0].sampler.new_samples_every_iteration


def test_what_a_line_search_cannot_do_is_said(resolved) -> None:
    resolution = resolved(
        Optimizer='"QuasiNewtonLBFGS"', GenerateLineSearchIterations='"true"', Metric='"Impact" "AdvancedMeanSquares"',
        Registration='"MultiMetricMultiResolutionRegistration"', UseRelativeWeights='"true"',
    )  # fmt: skip
    found = {problem.parameter: problem.severity for problem in resolution.problems}
    assert found == {"GenerateLineSearchIterations": "hint", "UseRelativeWeights": "warning"}


def test_of_several_optimisers_the_first_is_used(resolved) -> None:
    resolution = resolved(Optimizer='"StandardGradientDescent" "AdaptiveStochasticGradientDescent"', SP_a="1000")
    assert isinstance(resolution.plan.levels[0].optimizer, GradientDescentPlan)
    assert ("Optimizer", "warning") in [(problem.parameter, problem.severity) for problem in resolution.problems]


def test_other_metrics(plan) -> None:
    squares = plan(Metric='"AdvancedMeanSquares"', UseNormalization='"true"').levels[0].terms[0].metric
    assert squares.use_normalization
    assert plan(Metric='"NormalizedMutualInformation"').levels[0].terms[0].metric.kind == "Normalized"
    points = plan(Metric='"CorrespondingPointsEuclideanDistanceMetric"', ImageSampler=None).levels[0].terms[0].metric
    assert points.kind == "CorrespondingPoints"


@pytest.mark.parametrize("role", ["Metric", "Optimizer", "Transform", "ImageSampler"])
def test_required_components(only_error, role) -> None:
    assert only_error(**{role: None}).parameter == role


@pytest.mark.parametrize(
    "changes",
    [
        {"FixedImagePyramid": '"OpenCLFixedGenericImagePyramid"'},
        {"Interpolator": '"BSplineInterpolatorFloat"'},
        {"ResampleInterpolator": '"FinalBSplineInterpolatorFloat"'},
        {"Resampler": '"OpenCLResampler"'},
        {"ImageSampler": '"MultiInputRandomCoordinate"'},
    ],
)
def test_twins_run_with_a_hint(resolved, changes) -> None:
    resolution = resolved(**changes)
    assert resolution.plan is not None
    assert [(problem.severity, problem.parameter) for problem in resolution.problems] == [("hint", next(iter(changes)))]
