"""What a map's pyramids, grids, transforms, samplers, masks and output resolve to, and the faults found there."""

import pytest

from elastix_impact.errors import ParameterMapError
from elastix_impact.parameters.plan import LinearTransformPlan, SplineTransformPlan
from elastix_impact.parameters.resolve import plan_or_raise, resolve
from elastix_impact.parameters.text import parse_parameter_text

# pyramids


def test_default_schedules(plan) -> None:
    levels = plan(NumberOfResolutions="3").levels
    assert [level.terms[0].fixed_pyramid.shrink_factor for level in levels] == [(4.0,) * 3, (2.0,) * 3, (1.0,) * 3]
    assert [level.terms[0].fixed_pyramid.smoothing_sigma for level in levels] == [(2.0,) * 3, (1.0,) * 3, (0.0,) * 3]
    assert {level.terms[0].fixed_pyramid.sigma_unit for level in levels} == {"voxels"}


@pytest.mark.parametrize(("kind", "last"), [("Smoothing", 0.5), ("Recursive", 0.0), ("Shrinking", 0.0)])
def test_other_pyramids(plan, kind, last) -> None:
    pyramid = plan(FixedImagePyramid=f'"Fixed{kind}ImagePyramid"').levels[-1].terms[0].fixed_pyramid
    assert (pyramid.kind, pyramid.shrink_factor, pyramid.smoothing_sigma) == (kind, (1.0,) * 3, (last,) * 3)


def test_smoothing_pyramid_leaves_axes_of_factor_0_alone(plan) -> None:
    pyramid = (
        plan(FixedImagePyramid='"FixedSmoothingImagePyramid"', FixedImagePyramidSchedule="4 4 0 2 2 0")
        .levels[0]
        .terms[0]
    )
    assert pyramid.fixed_pyramid.smoothing_sigma == (2, 2, 0)
    assert pyramid.fixed_pyramid.shrink_factor == (4, 4, 1)


def test_generic_keeps_half_a_voxel_where_a_coarse_level_does_not_shrink(plan) -> None:
    levels = plan(ImagePyramidSchedule="1 1 1 1 1 1").levels
    assert [level.terms[0].fixed_pyramid.smoothing_sigma for level in levels] == [(0.5,) * 3, (0.0,) * 3]


def test_explicit_schedules(plan) -> None:
    made = plan(
        ImagePyramidRescaleSchedule="4 4 2 1 1 1", MovingImagePyramidSchedule="3 3 3 1 1 1",
        ImagePyramidSmoothingSchedule="8 8 8 0 0 0", FixedImagePyramidSmoothingSchedule="2 2 1 0 0 0",
    )  # fmt: skip
    fixed, moving = made.levels[0].terms[0].fixed_pyramid, made.levels[0].terms[0].moving_pyramid
    assert (fixed.shrink_factor, fixed.smoothing_sigma, fixed.sigma_unit) == ((4, 4, 2), (2, 2, 1), "mm")
    assert (moving.shrink_factor, moving.smoothing_sigma, moving.sigma_unit) == ((3, 3, 3), (8, 8, 8), "mm")


def test_schedules_never_rise(resolved) -> None:
    resolution = resolved(ImagePyramidSchedule="1 2 2 2 2 0")
    assert resolution.plan is not None
    assert [level.terms[0].fixed_pyramid.shrink_factor for level in resolution.plan.levels] == [(1, 2, 2), (1, 2, 1)]
    assert "1 2 2 1 2 1" in resolution.problems[0].message


def test_schedule_lengths(only_error, resolved) -> None:
    error = only_error(ImagePyramidSchedule="4 4 1 1")
    assert "needs 6 numbers for 2 levels of 3-D images, got 4" in error.message
    resolution = resolved(ImagePyramidSchedule="4 4 4 2 2 2 1 1 1")
    assert resolution.plan is not None
    assert resolution.problems[0].severity == "warning"


def test_smoothing_schedule_of_another_pyramid_has_no_effect(resolved) -> None:
    pyramids = {f"{image}ImagePyramid": f'"{image}SmoothingImagePyramid"' for image in ("Fixed", "Moving")}
    (problem,) = resolved(**pyramids, ImagePyramidSmoothingSchedule="1 1 1 1 1 1").problems
    assert (problem.severity, problem.parameter) == ("hint", "ImagePyramidSmoothingSchedule")


# transforms


def test_grid_spacing(plan) -> None:
    made = plan(FinalGridSpacingInPhysicalUnits="20").transform
    assert made == SplineTransformPlan(
        kind="BSpline", order=3, grid_spacing=((40.0,) * 3, (20.0,) * 3), grid_spacing_voxels=None, passive_edge_width=0
    )
    assert plan().transform.grid_spacing == ((16.0,) * 3, (8.0,) * 3)
    made = plan(FinalGridSpacingInVoxels="8 8 4", GridSpacingSchedule="3 1").transform
    assert (made.grid_spacing, made.grid_spacing_voxels) == (None, ((24, 24, 12), (8, 8, 4)))
    made = plan(FinalGridSpacingInPhysicalUnits="10 10 5", GridSpacingSchedule="4 4 2 1 1 1").transform
    assert made.grid_spacing == ((40, 40, 10), (10, 10, 5))


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"FinalGridSpacingInVoxels": "8", "FinalGridSpacingInPhysicalUnits": "8"}, "FinalGridSpacingInVoxels"),
        ({"FinalGridSpacingInPhysicalUnits": "8 8"}, "FinalGridSpacingInPhysicalUnits"),
        ({"FinalGridSpacingInPhysicalUnits": "0"}, "FinalGridSpacingInPhysicalUnits"),
        ({"GridSpacingSchedule": "4 2 1"}, "GridSpacingSchedule"),
        ({"BSplineTransformSplineOrder": "4"}, "BSplineTransformSplineOrder"),
        ({"UseCyclicTransform": '"true"'}, "UseCyclicTransform"),
        ({"PassiveEdgeWidth": "1"}, "PassiveEdgeWidth"),
        ({"Transform": '"EulerTransform"', "Scales": "1 2"}, "Scales"),
        ({"Transform": '"AffineTransform"', "Scales": "0"}, "Scales"),
        ({"Transform": '"EulerTransform"', "CenterOfRotationPoint": "1 2"}, "CenterOfRotationPoint"),
        ({"Transform": '"EulerTransform"', "CenterOfRotation": "1 2 3"}, "CenterOfRotation"),
        ({"HowToCombineTransforms": '"Sum"'}, "HowToCombineTransforms"),
        ({"NumberOfResolutions": "0"}, "NumberOfResolutions"),
        ({"NumberOfResolutions": "1000000000"}, "NumberOfResolutions"),
        ({"NumberOfSpatialSamples": "0"}, "NumberOfSpatialSamples"),
        ({"RequiredRatioOfValidSamples": "1.5"}, "RequiredRatioOfValidSamples"),
        ({"RandomSeed": "4294967296"}, "RandomSeed"),
        ({"WriteResultImage": '"yes"'}, "WriteResultImage"),
        ({"ResultImagePixelType": '"int12"'}, "ResultImagePixelType"),
        ({"MaximumStepLength": "-1"}, "MaximumStepLength"),
        ({"ASGDParameterEstimationMethod": '"Orignal"'}, "ASGDParameterEstimationMethod"),
        ({"SigmoidMin": "0.1", "AutomaticParameterEstimation": '"false"'}, "SigmoidMin"),
        ({"UseRandomSampleRegion": '"true"', "SampleRegionSize": "9 9"}, "SampleRegionSize"),
        ({"MaximumNumberOfIterations": "many"}, "MaximumNumberOfIterations"),
    ],
)  # fmt: skip
def test_faults(only_error, changes, parameter) -> None:
    assert only_error(**changes).parameter == parameter


R, S = 1e5, 1e4
LINEAR_SCALES = [
    ("Euler", 3, {}, (R, R, R, 1, 1, 1)),
    ("Euler", 2, {}, (R, 1, 1)),
    ("Euler", 3, {"Scales": "50"}, (50, 50, 50, 1, 1, 1)),
    ("Euler", 3, {"Scales": "1 2 3 4 5 6"}, (1, 2, 3, 4, 5, 6)),
    ("Similarity", 3, {}, (R, R, R, 1, 1, 1, S)),
    ("Similarity", 2, {}, (S, R, 1, 1)),
    ("Affine", 3, {}, (R,) * 9 + (1,) * 3),
    ("Affine", 2, {"Scales": "7"}, (7,) * 4 + (1,) * 2),
    ("Affine", 3, {"AutomaticScalesEstimation": '"true"'}, None),
    ("AffineLog", 3, {}, None),
    ("Translation", 3, {}, None),
]


@pytest.mark.parametrize(("kind", "dimension", "changes", "scales"), LINEAR_SCALES)
def test_scales_of_linear_transforms(plan, kind, dimension, changes, scales) -> None:
    flat = {"ImpactVoxelSize0": "6", "ImpactPatchSize0": "0", "ImpactDimension0": "2", "FixedImageDimension": None}
    made = plan(dimension, Transform=f'"{kind}Transform"', **changes, **(flat if dimension == 2 else {})).transform
    assert isinstance(made, LinearTransformPlan)
    assert (made.kind, made.scales) == (kind, scales)
    assert made.automatic_scales is (scales is None and kind != "Translation")


def test_start_of_linear_transforms(plan, resolved) -> None:
    euler = {"Transform": '"EulerTransform"', "CenterOfRotationPoint": "1 -2 3.5"}
    made = plan(**euler).transform
    assert (made.centre, made.automatic_initialisation) == ((1, -2, 3.5), None)
    made = plan(**euler, AutomaticTransformInitialization='"true"').transform
    assert made.automatic_initialisation == "GeometricalCenter"
    by_origin = {"AutomaticTransformInitialization": '"true"', "AutomaticTransformInitializationMethod": '"Origins"'}
    assert plan(Transform='"AffineTransform"', **by_origin).transform.automatic_initialisation == "Origins"
    resolution = resolved(**euler, **by_origin)
    assert resolution.plan is not None
    assert resolution.plan.transform.automatic_initialisation == "GeometricalCenter"
    assert [problem.severity for problem in resolution.problems] == ["warning"]


# samplers, masks, output


def test_samplers(plan) -> None:
    grid = plan(ImageSampler='"Grid"', SampleGridSpacing="4 4 4 2 2 1").levels
    assert [level.terms[0].sampler.grid_spacing_voxels for level in grid] == [(4, 4, 4), (2, 2, 1)]
    assert plan(ImageSampler='"Grid"').levels[1].terms[0].sampler.grid_spacing_voxels == (2, 2, 2)
    region = {"UseRandomSampleRegion": '"true"'}
    assert plan(**region).levels[0].terms[0].sampler.sample_region_size is None
    assert plan(**region, SampleRegionSize="50").levels[1].terms[0].sampler.sample_region_size == (50, 50, 50)
    sizes = plan(**region, SampleRegionSize="50 50 50 30 30 20").levels
    assert [level.terms[0].sampler.sample_region_size for level in sizes] == [(50, 50, 50), (30, 30, 20)]
    assert plan(ImageSampler='"Random"', **region).levels[0].terms[0].sampler.use_random_sample_region is False
    assert [level.terms[0].sampler.number_of_samples for level in plan(NumberOfSpatialSamples="100 200").levels] == [
        100,
        200,
    ]


def test_a_random_sampler_that_never_draws_anew_is_warned_of(resolved) -> None:
    (problem,) = resolved(NewSamplesEveryIteration=None).problems
    assert (problem.severity, problem.parameter) == ("warning", "NewSamplesEveryIteration")


def test_erosion_of_masks(plan) -> None:
    def eroded(**changes: str) -> list[tuple[bool, bool]]:
        return [(level.erode_fixed_mask, level.erode_moving_mask) for level in plan(**changes).levels]

    assert eroded(ErodeMask='"false"') == [(False, False)] * 2
    assert eroded(ErodeMask='"false"', ErodeFixedMask='"true" "false"') == [(True, False), (False, False)]
    assert eroded(ErodeMovingMask='"false"', ErodeMovingMask0='"true"') == [(True, True)] * 2


def test_output(plan) -> None:
    made = plan(
        ResultImagePixelType='"ushort"', ResultImageFormat='"nii.gz"', ITKTransformOutputFileNameExtension='"h5"',
        OutputTransformParameterFileFormat='"TOML"', WriteResultImageAfterEachResolution='"false" "true"',
        ResampleInterpolator='"FinalNearestNeighborInterpolator"', DefaultPixelValue="-1000",
        WriteTransformParametersEachResolution='"true"',
    )  # fmt: skip
    assert made.output.result_image_pixel_type == "unsigned short"
    assert made.output.result_image_format == "nii.gz"
    assert (made.output.itk_transform_extension, made.output.transform_file_format) == ("h5", "toml")
    assert (made.output.resample_interpolation_order, made.output.default_pixel_value) == (0, -1000)
    assert [level.write_result_image for level in made.levels] == [False, True]
    assert [level.write_transform for level in made.levels] == [True, True]


def test_interpolation_orders(plan) -> None:
    assert plan(Interpolator='"NearestNeighborInterpolator"').levels[0].terms[0].interpolation_order == 0
    by_level = plan(Interpolator='"BSplineInterpolator"', BSplineInterpolationOrder="1 3").levels
    assert [level.terms[0].interpolation_order for level in by_level] == [1, 3]


def test_seed_0_is_a_seed(plan) -> None:
    assert plan(RandomSeed="0").random_seed == 0


# the whole


def test_effective_values_name_their_origin(resolved) -> None:
    effective = {value.name: value for value in resolved().effective}
    assert (effective["NumberOfResolutions"].values, effective["NumberOfResolutions"].origin) == (("2",), "map.txt:2")
    assert (effective["RandomSeed"].values, effective["RandomSeed"].origin) == (("121212",), "default")
    assert effective["SP_A"].values == ("20.0", "20.0")


def test_plan_or_raise_names_every_fault() -> None:
    raw = parse_parameter_text('(Metric "Impact")\n(Transform "Affine")', "bad.txt")
    with pytest.raises(ParameterMapError, match=r"bad.txt:2 Transform(.|\n)*") as caught:
        plan_or_raise(raw)
    assert all(role in str(caught.value) for role in ("Optimizer", "ImageSampler"))
    assert len(caught.value.problems) == 3


def test_files_that_are_no_maps() -> None:
    transform = parse_parameter_text('(Transform "EulerTransform")\n(TransformParameters 0 0 0)', "t.txt")
    assert "transform file" in resolve(transform).problems[0].message
    assert "not a parameter map" in resolve(parse_parameter_text("(Alpha 1)", "x.txt")).problems[0].message
    assert "not a parameter map" in resolve(parse_parameter_text("", "x.txt")).problems[0].message
