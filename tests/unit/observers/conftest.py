"""A plan, a record of a level, and a whole small case on disk."""

from dataclasses import replace

import pytest

from elastix_impact.parameters.metric_plan import ImpactPlan, LayerPlan, ModelPlan
from elastix_impact.parameters.optimizer_plan import AsgdPlan
from elastix_impact.parameters.plan import (
    LevelPlan,
    OutputPlan,
    PyramidLevelPlan,
    RegistrationPlan,
    SamplerPlan,
    SplineTransformPlan,
    TermPlan,
)
from elastix_impact.registration.result import LevelRecord, StopReason

SPACE = (1.0, 1.0, 1.0)


@pytest.fixture
def asgd_plan() -> AsgdPlan:
    return AsgdPlan(
        maximum_number_of_iterations=12, automatic_parameter_estimation=True, estimation="Original",
        use_adaptive_step_sizes=True, use_constant_step=False, maximum_step_length=None, maximum_step_length_ratio=1.0,
        number_of_gradient_measurements=0, number_of_jacobian_measurements=None,
        number_of_samples_for_exact_gradient=4096, sigmoid_scale_factor=0.1, noise_compensation=True,
        maximum_displacement_estimation="2sigma", maximum_number_of_sampling_attempts=8, sp_a=400.0, sp_A=20.0,
        sp_alpha=1.0, sigmoid_initial_time=0.0, sigmoid_max=1.0, sigmoid_min=-0.8, sigmoid_scale=1e-8,
    )  # fmt: skip


@pytest.fixture
def mind_plan(asgd_plan: AsgdPlan) -> RegistrationPlan:
    """Two levels of static MIND with a B-spline."""
    model = ModelPlan(
        path="/Data/Models/MIND/R1D2_3D.pt", dimension=3, channels=1, patch_size=(0, 0, 0), voxel_size=(4.0, 4.0, 4.0),
        layers_mask=(True,),
    )  # fmt: skip
    metric = ImpactPlan(
        mode="Static", fixed_models=(model,), moving_models=(model,), gpu=-1, mixed_precision=False,
        layers=(LayerPlan(distance="L2", weight=1.0, subset=12, pca=0),), update_interval=-1,
        feature_maps_directory=None, feature_interpolation_order=1, jacobian_gradient="Exact",
        lattice_spacing=0.0, margin=0,
    )  # fmt: skip
    pyramid = PyramidLevelPlan(kind="Smoothing", shrink_factor=SPACE, smoothing_sigma=SPACE, sigma_unit="voxels")
    sampler = SamplerPlan(
        kind="RandomCoordinate", number_of_samples=2000, new_samples_every_iteration=True, sample_region_size=None,
        grid_spacing_voxels=(2, 2, 2), use_random_sample_region=False,
    )  # fmt: skip
    term = TermPlan(
        name="Metric0", metric=metric, weight=1.0, sampler=sampler, fixed_pyramid=pyramid, moving_pyramid=pyramid,
        interpolation_order=1,
    )  # fmt: skip
    level = LevelPlan(
        terms=(term,), use_relative_weights=False, optimizer=asgd_plan, erode_fixed_mask=False,
        erode_moving_mask=False, fixed_mask_margin=0.0, sample_where_both_see=False, repeat_while_folding=False,
        required_ratio_of_valid_samples=0.25,
        check_number_of_samples=True, write_transform=False, write_transform_each_iteration=False,
        write_result_image=False, write_pyramid_images=False,
    )  # fmt: skip
    output = OutputPlan(
        write_result_image=True, write_final_transform=True, write_iteration_info=True, result_image_name="result",
        result_image_format="mha", result_image_pixel_type="short", compress_result_image=False,
        resample_interpolation_order=3, default_pixel_value=-1000.0, itk_transform_extension=None,
        write_itk_composite=False, transform_file_format="txt",
    )  # fmt: skip
    transform = SplineTransformPlan(
        kind="BSpline", order=3, grid_spacing=((32.0,) * 3, (16.0,) * 3), grid_spacing_voxels=None, passive_edge_width=0
    )
    return RegistrationPlan(
        source="ParameterMap.txt", dimension=3, random_seed=121212, use_direction_cosines=True,
        fixed_internal_pixel_type="float", moving_internal_pixel_type="float", how_to_combine_transforms="Compose",
        initial_transform=None, transform=transform, levels=(level, replace(level)), output=output, guard_stages=False,
    )  # fmt: skip


@pytest.fixture
def finished_level() -> LevelRecord:
    return LevelRecord(
        level=0, iterations=2, stop_reason=StopReason.MAXIMUM_ITERATIONS, first_metric=1.0, final_metric=0.5,
        raw_metric_first={"layer 0": 12.0}, raw_metric_final={"layer 0": 6.0}, samples=2000, valid_fraction=0.75,
        number_of_parameters=3, median_milliseconds=2.0, seconds={"pyramid": 0.5, "loop": 1.0},
        settings={"a": 4.434571, "A": 20.0, "use_constant_step": False, "noise_factor": 0.5},
    )  # fmt: skip
