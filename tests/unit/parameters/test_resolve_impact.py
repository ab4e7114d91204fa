"""The IMPACT metric: levels, counting, models of one image, and every fault."""

import pytest

TWO_MODELS = {
    "ImpactModelsPath0": '"a.pt" "b.pt"', "ImpactDimension0": "2 3", "ImpactNumberOfChannels0": "3 1",
    "ImpactPatchSize0": "29 29 11 11 11", "ImpactVoxelSize0": "1.5 1.5 2 2 2", "ImpactLayersMask0": '"01" "11"',
    "ImpactSubsetFeatures0": "1000 64", "ImpactDistance0": '"L2" "L1" "NCC"', "ImpactLayersWeight0": "1 0.5",
    "ImpactMode": '"Jacobian"',
}  # fmt: skip


def test_a_level_that_is_not_given_takes_level_0(plan) -> None:
    first, second = plan(ImpactVoxelSize1="3 3 3").levels
    assert first.terms[0].metric.fixed_models[0].voxel_size == (6, 6, 6)
    assert second.terms[0].metric.fixed_models[0].voxel_size == (3, 3, 3)
    assert second.terms[0].metric.fixed_models[0].path == "a.pt"
    assert second.terms[0].metric.layers == first.terms[0].metric.layers


def test_no_remark_on_a_complete_map(resolved) -> None:
    assert resolved().problems == ()


def test_several_models_and_layers(plan) -> None:
    metric = plan(**TWO_MODELS).levels[0].terms[0].metric
    assert [model.patch_size for model in metric.fixed_models] == [(29, 29), (11, 11, 11)]
    assert [model.voxel_size for model in metric.fixed_models] == [(1.5, 1.5), (2, 2, 2)]
    assert [model.channels for model in metric.fixed_models] == [3, 1]
    assert [model.layers_mask for model in metric.fixed_models] == [(False, True), (True, True)]
    assert [(layer.distance, layer.weight, layer.subset) for layer in metric.layers] == [
        ("L2", 1.0, 1000), ("L1", 0.5, 64), ("NCC", 0.5, 64),
    ]  # fmt: skip
    assert metric.moving_models == metric.fixed_models


def test_static_voxel_size_has_the_images_axes(plan, only_error) -> None:
    slices = {"ImpactDimension0": "2", "ImpactPatchSize0": "0 0"}
    assert plan(**slices).levels[0].terms[0].metric.fixed_models[0].voxel_size == (6, 6, 6)
    error = only_error(**slices, ImpactVoxelSize0="6 6")
    assert (error.parameter, "needs 3 numbers" in error.message, "got 2" in error.message) == (
        "ImpactVoxelSize0", True, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "sizes"),
    [
        ("4", [(4, 4, 4)] * 2),
        ("4 2", [(4, 4, 4), (2, 2, 2)]),
        ("4 5 6", [(4, 5, 6)] * 2),
        ("4 5 6 1 2 3", [(4, 5, 6), (1, 2, 3)]),
    ],
)
def test_voxel_sizes_of_two_models(plan, written, sizes) -> None:
    metric = plan(ImpactModelsPath0='"a.pt" "b.pt"', ImpactVoxelSize0=written).levels[0].terms[0].metric
    assert [model.voxel_size for model in metric.fixed_models] == sizes


def test_models_of_one_image(plan) -> None:
    metric = plan(
        ImpactFixedModelsPath0='"ct.pt"', ImpactFixedVoxelSize0="2 2 2", ImpactFixedLayersMask0='"0010"'
    ).levels[0].terms[0].metric  # fmt: skip
    assert [(model.path, model.voxel_size[0]) for model in metric.fixed_models] == [("ct.pt", 2)]
    assert [(model.path, model.voxel_size[0]) for model in metric.moving_models] == [("a.pt", 6)]
    assert metric.fixed_models[0].channels == 1


def test_both_images_must_select_as_many_layers(only_error) -> None:
    error = only_error(NumberOfResolutions="1", ImpactFixedModelsPath0='"ct.pt"', ImpactFixedLayersMask0='"111"')
    assert "3 layers" in error.message
    assert "moving image's 1" in error.message


def test_one_image_without_a_model(only_error) -> None:
    error = only_error(NumberOfResolutions="1", ImpactModelsPath0=None, ImpactFixedModelsPath0='"ct.pt"')
    assert "moving image" in error.message


@pytest.mark.parametrize(
    ("changes", "parameter", "words"),
    [
        ({"ImpactSubsetFeatures0": "0"}, "ImpactSubsetFeatures0", "0 is too small"),
        ({"ImpactVoxelSize0": "0 6 6"}, "ImpactVoxelSize0", "0 is too small"),
        ({"ImpactVoxelSize0": "-1 6 6"}, "ImpactVoxelSize0", "-1 is too small"),
        ({"ImpactVoxelSize0": "6 6 6 6"}, "ImpactVoxelSize0", "needs 3 numbers for 3 axes, got 4"),
        ({"ImpactVoxelSize0": None}, "ImpactVoxelSize0", "not given"),
        ({"ImpactVoxelSize1": "3 3"}, "ImpactVoxelSize1", "got 2"),
        ({"ImpactPatchSize0": "16 16"}, "ImpactPatchSize0", "got 2"),
        ({"ImpactPatchSize0": "16 0 16"}, "ImpactPatchSize0", "some numbers"),
        ({"ImpactPatchSize0": "1.5"}, "ImpactPatchSize0", "whole number"),
        ({"ImpactMode": '"Jacobian"'}, "ImpactPatchSize0", "not possible in Jacobian mode"),
        ({"ImpactMode": '"Jacobian"', "ImpactPatchSize0": None}, "ImpactPatchSize0", "Jacobian mode needs it"),
        ({"ImpactLayersMask0": '"02"'}, "ImpactLayersMask0", '"02" is no layers mask'),
        ({"ImpactLayersMask0": '"00"'}, "ImpactLayersMask0", "selects no layer"),
        ({"ImpactLayersMask0": '"1" "1"'}, "ImpactLayersMask0", "2 values for 1 model"),
        ({"ImpactDistance0": '"L3"'}, "ImpactDistance0", "L3"),
        ({"ImpactDistance0": '"L2" "L1"'}, "ImpactDistance0", "2 values for 1 layer"),
        ({"ImpactPCA0": "4 4"}, "ImpactPCA0", "2 values for 1 layer"),
        ({"ImpactLayersWeight0": "0"}, "ImpactLayersWeight0", "all weights are 0"),
        ({"ImpactDimension0": "4"}, "ImpactDimension0", '"4" is not possible'),
        ({"ImpactNumberOfChannels0": "0"}, "ImpactNumberOfChannels0", "too small"),
        ({"ImpactMode": '"static"'}, "ImpactMode", "static"),
        ({"ImpactGPU": "-2"}, "ImpactGPU", "too small"),
        ({"ImpactFeaturesMapUpdateInterval": "0"}, "ImpactFeaturesMapUpdateInterval", "no interval"),
        ({"ImpactFeatureInterpolationOrder": "2"}, "ImpactFeatureInterpolationOrder", "2"),
    ],
)  # fmt: skip
def test_faults(only_error, changes, parameter, words) -> None:
    levels = "2" if "ImpactVoxelSize1" in changes else "1"
    error = only_error(NumberOfResolutions=levels, **changes)
    assert error.parameter == parameter
    assert words in error.message


def test_no_model_at_all_is_said_for_both_images(resolved) -> None:
    problems = resolved(NumberOfResolutions="1", ImpactModelsPath0=None).problems
    messages = [problem.message for problem in problems if problem.severity == "error"]
    assert len(messages) == 2
    assert "fixed image" in messages[0]
    assert "moving image" in messages[1]


def test_too_large_a_model_for_the_images(resolved) -> None:
    problems = resolved(FixedImageDimension="2", ImpactVoxelSize0="6 6", NumberOfResolutions="1").problems
    assert "a 3-D model can't run on 2-D images" in [problem.message for problem in problems]


def test_defaults_are_said(resolved) -> None:
    resolution = resolved(ImpactSubsetFeatures0=None, ImpactNumberOfChannels0=None, ImpactLayersMask0=None)
    warned = {problem.parameter for problem in resolution.problems if problem.severity == "warning"}
    assert warned == {"ImpactSubsetFeatures0", "ImpactNumberOfChannels0", "ImpactLayersMask0"}
    assert resolution.plan is not None
    metric = resolution.plan.levels[0].terms[0].metric
    assert (metric.layers[0].subset, metric.fixed_models[0].layers_mask) == (32, (True,))


def test_defaults_of_the_whole_metric(plan) -> None:
    metric = plan(ImpactMode=None, ImpactPatchSize0="11 11 11").levels[1].terms[0].metric
    assert metric.mode == "Jacobian"
    assert (metric.gpu, metric.mixed_precision, metric.update_interval) == (-1, False, -1)
    assert metric.feature_maps_directory is None
    assert metric.feature_interpolation_order == 3


def test_lists_per_level(plan) -> None:
    levels = plan(
        ImpactMode='"Static" "Jacobian"', ImpactGPU="0", ImpactUseMixedPrecision='"true" "false"',
        ImpactFeaturesMapUpdateInterval="10", ImpactPatchSize1="5 5 5", ImpactFeatureInterpolationOrder="3 1",
    ).levels  # fmt: skip
    metrics = [level.terms[0].metric for level in levels]
    assert [metric.mode for metric in metrics] == ["Static", "Jacobian"]
    assert [metric.gpu for metric in metrics] == [0, 0]
    assert [metric.mixed_precision for metric in metrics] == [True, False]
    assert [metric.update_interval for metric in metrics] == [10, -1]
    assert [metric.feature_interpolation_order for metric in metrics] == [3, 1]


@pytest.mark.parametrize(
    ("value", "directory"), [('"false"', None), ('"/maps"', "/maps"), ('"true"', "FeatureMaps")]
)  # fmt: skip
@pytest.mark.parametrize("name", ["ImpactFeatureMapOutputDirectory", "ImpactWriteFeatureMaps"])
def test_directory_of_feature_maps_under_both_names(plan, name, value, directory) -> None:
    assert plan(**{name: value}).levels[0].terms[0].metric.feature_maps_directory == directory


def test_old_spellings_of_the_models_path(resolved) -> None:
    for name in ("ModelsPath", "ModelsPath0"):
        resolution = resolved(ImpactModelsPath0=None, **{name: '"old.pt"'})
        assert [problem.severity for problem in resolution.problems] == ["warning"]
        assert "ImpactModelsPath0" in resolution.problems[0].remedy
        assert resolution.plan is not None
        assert resolution.plan.levels[1].terms[0].metric.fixed_models[0].path == "old.pt"
    resolution = resolved(FixedModelsPath0='"ct.pt"')
    assert resolution.plan is not None
    assert resolution.plan.levels[0].terms[0].metric.fixed_models[0].path == "ct.pt"


def test_pca_is_for_static_mode(plan) -> None:
    assert plan(ImpactPCA0="4").levels[0].terms[0].metric.layers[0].pca == 4
    assert (
        plan(ImpactPCA0="4", ImpactMode='"Jacobian"', ImpactPatchSize0="5").levels[0].terms[0].metric.layers[0].pca == 0
    )


def test_all_faults_at_once(resolved) -> None:
    problems = resolved(
        ImpactVoxelSize0="0 0 0", ImpactDistance0='"L3"', GridSpacingSchedule="1 2 3", ImpactDistence1='"L2"',
        RandomSeed="-1",
    ).problems  # fmt: skip
    wrong = {problem.parameter for problem in problems if problem.severity == "error"}
    assert wrong == {
        "ImpactVoxelSize0", "ImpactDistance0", "GridSpacingSchedule", "ImpactDistence1", "RandomSeed",
    }  # fmt: skip
