"""Every parameter map of the shared folder resolves as its file says."""

from pathlib import Path

import pytest

from elastix_impact.parameters.metric_plan import CorrelationPlan, HistogramPlan
from elastix_impact.parameters.optimizer_plan import GradientDescentPlan
from elastix_impact.parameters.plan import LinearTransformPlan, SplineTransformPlan
from elastix_impact.parameters.resolve import plan_or_raise, resolve
from elastix_impact.parameters.text import read_parameter_map

pytestmark = pytest.mark.shared


def golden(shared: Path, name: str):
    return plan_or_raise(read_parameter_map(shared / "golden" / "maps" / f"{name}.txt"))


def test_all_golden_maps_resolve_without_warning(shared: Path) -> None:
    paths = sorted((shared / "golden" / "maps").glob("*.txt"))
    assert len(paths) >= 30
    for path in paths:
        resolution = resolve(read_parameter_map(path))
        assert [str(problem) for problem in resolution.problems if problem.severity != "hint"] == []
        assert resolution.plan is not None
        assert resolution.plan.dimension == (2 if "2d_" in path.stem.split("_")[0] + "_" else 3)
        assert path.stem.lower().startswith(resolution.plan.levels[0].terms[0].metric.mode.lower())


def test_golden_values_by_field(shared: Path) -> None:
    made = golden(shared, "static3d_two_models_L2_NCC")
    level = made.levels[0]
    assert made.transform == SplineTransformPlan(
        kind="BSpline", order=3, grid_spacing=((20.0,) * 3,), grid_spacing_voxels=None, passive_edge_width=0
    )
    assert level.optimizer == GradientDescentPlan(
        maximum_number_of_iterations=1, maximum_number_of_sampling_attempts=0, sp_a=1.0, sp_A=0.0, sp_alpha=0.0
    )
    assert (level.terms[0].fixed_pyramid.smoothing_sigma, level.terms[0].fixed_pyramid.sigma_unit) == ((0.0,) * 3, "mm")
    assert (level.terms[0].sampler.kind, level.terms[0].interpolation_order) == ("Full", 1)
    assert [model.path for model in level.terms[0].metric.fixed_models] == [
        "models/Plain_3D.pt",
        "models/MIND_R1D1_3D.pt",
    ]
    assert [(one.distance, one.weight, one.subset) for one in level.terms[0].metric.layers] == [
        ("L2", 1, 16),
        ("NCC", 0.5, 12),
    ]


def test_golden_scales_and_slices(shared: Path) -> None:
    made = golden(shared, "static3d_plain_L2_euler").transform
    assert isinstance(made, LinearTransformPlan)
    assert made.scales == (1.0,) * 6
    model = golden(shared, "static3d_slices_plain2d_L2").levels[0].terms[0].metric.fixed_models[0]
    assert (model.dimension, model.patch_size, model.voxel_size) == (2, (0, 0), (4, 4, 4))


@pytest.mark.parametrize("name", ["static_m730", "static_encoder", "static_mind", "jacobian_m730", "jacobian_encoder"])
def test_lung_maps(shared: Path, name: str) -> None:
    made = plan_or_raise(read_parameter_map(shared / "data" / "ct_lung" / "maps" / f"{name}.txt"), dimension=3)
    assert isinstance(made.transform, SplineTransformPlan)
    levels = len(made.levels)
    assert made.transform.grid_spacing == tuple((20.0 * 2 ** (levels - 1 - level),) * 3 for level in range(levels))
    assert (made.random_seed, made.output.write_result_image) == (1, False)
    for level in made.levels:
        assert level.terms[0].fixed_pyramid.smoothing_sigma == (1.0,) * 3
        static = level.terms[0].metric.mode == "Static"
        assert level.optimizer.maximum_number_of_iterations == (250 if static else 20)
        assert (level.terms[0].sampler.kind, level.erode_fixed_mask, level.write_transform) == (
            "RandomCoordinate",
            False,
            True,
        )


@pytest.mark.parametrize(("name", "kind"), [("mi_bspline", HistogramPlan), ("ncc_bspline", CorrelationPlan)])
def test_intensity_maps_are_native(shared: Path, name: str, kind: type) -> None:
    resolution = resolve(read_parameter_map(shared / "data" / "ct_lung" / "maps" / f"{name}.txt"))
    assert resolution.plan is not None
    assert all(isinstance(level.terms[0].metric, kind) for level in resolution.plan.levels)
