"""The catalogue agrees with itself, with the plan, and with elastix's own default maps."""

import typing

import pytest

from elastix_impact.parameters import metric_plan, native, optimizer_plan, plan
from elastix_impact.parameters.catalog import CATALOG
from elastix_impact.parameters.catalog.impact import DEFAULT_FEATURE_INTERPOLATION_ORDER
from elastix_impact.parameters.names import COMPONENTS, nearest_name, parameter_of
from elastix_impact.parameters.raw import RawParameterMap
from elastix_impact.parameters.reader import Reader
from elastix_impact.parameters.resolve import resolve
from elastix_impact.parameters.text import parse_parameter_text, write_parameter_text
from small_map import map_text


@pytest.mark.parametrize("parameter", CATALOG.values(), ids=CATALOG)
def test_defaults_obey_their_own_rules(parameter) -> None:
    reader = Reader(parse_parameter_text("(Metric 1)", "map.txt"))
    read = {"bool": reader.boolean, "int": reader.integer, "float": reader.number, "text": reader.text}[parameter.kind]
    value = read(parameter.name)
    if parameter.default is not None:
        assert not parameter.allowed or parameter.default in parameter.allowed
        if parameter.minimum is not None:
            assert value >= parameter.minimum
        if parameter.above is not None:
            assert value > parameter.above
    assert parameter.help.endswith((".", "..."))
    assert parameter.help[0].isupper() or parameter.help[0].islower()


def test_no_name_is_another_ones_alias() -> None:
    aliases = [alias for parameter in CATALOG.values() for alias in parameter.aliases]
    assert len(aliases) == len(set(aliases))
    assert not set(aliases) & set(CATALOG)


def test_components_are_in_the_catalogue() -> None:
    assert set(COMPONENTS) <= set(CATALOG)


def test_native_tables_name_the_plans_kinds() -> None:
    kinds = {*typing.get_args(plan.LinearKind), *typing.get_args(plan.SplineKind)}
    assert set(native.TRANSFORMS.values()) == kinds
    assert set(native.SAMPLERS.values()) == set(typing.get_args(plan.SamplerKind))
    assert set(native.FIXED_PYRAMIDS.values()) == set(typing.get_args(plan.PyramidKind))
    assert CATALOG["ImpactDistance"].allowed == typing.get_args(metric_plan.Distance)
    assert CATALOG["ImpactMode"].allowed == typing.get_args(metric_plan.ImpactMode)
    assert CATALOG["ASGDParameterEstimationMethod"].allowed == typing.get_args(optimizer_plan.StepSizeEstimation)
    assert CATALOG["AutomaticTransformInitializationMethod"].allowed == typing.get_args(plan.InitialAlignment)
    assert DEFAULT_FEATURE_INTERPOLATION_ORDER in (1, 3)


@pytest.mark.parametrize(
    ("name", "entry", "number"),
    [
        ("ImpactVoxelSize12", "ImpactVoxelSize", "12"),
        ("ImpactFixedLayersMask0", "ImpactFixedLayersMask", "0"),
        ("FixedModelsPath1", "ImpactFixedModelsPath", "1"),
        ("ModelsPath", "ImpactModelsPath", ""),
        ("Metric1NumberOfHistogramBins", "NumberOfHistogramBins", ""),
        ("Metric0Weight", "MetricWeight", ""),
        ("FixedImagePyramid0Schedule", "FixedImagePyramid0Schedule", ""),
        ("FullSearchSpace2", "FullSearchSpace", "2"),
        ("RandomSeed0", None, ""),
        ("ImpactVoxelSize00", None, ""),
        ("ImpactMode0", None, ""),
        ("Metric0Nonsense", None, ""),
    ],
)
def test_what_names_mean(name: str, entry: str | None, number: str) -> None:
    parameter, found = parameter_of(name)
    assert (parameter and parameter.name, found) == (entry, number)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("ImpactDistence2", "ImpactDistance2"),
        ("impactvoxelsize0", "ImpactVoxelSize0"),
        ("ImpactVoxelSzie", "ImpactVoxelSize0"),
        ("ImpactMode0", "ImpactMode"),
        ("GPU", "ImpactGPU"),
        ("PatchSize2", "ImpactPatchSize2"),
        ("ImpactVoxelSize01", "ImpactVoxelSize1"),
        ("MaximumNumberOfIteration", "MaximumNumberOfIterations"),
        ("Zebra", None),
    ],
)
def test_nearest_names(name: str, near: str | None) -> None:
    assert nearest_name(name) == near


@pytest.mark.parametrize("kind", ["translation", "rigid", "affine", "bspline"])
def test_elastix_default_maps_hold_nothing_unknown(kind: str) -> None:
    """The maps that elastix itself recommends, with IMPACT in place of their metric, resolve without warning."""
    itk = pytest.importorskip("itk")
    theirs = itk.ParameterObject.New().GetDefaultParameterMap(kind, 2)
    entries = parse_parameter_text(write_parameter_text(dict(theirs.items())), "default.txt").entries
    ours = parse_parameter_text(map_text(), "map.txt").entries
    impact = {name: entry for name, entry in ours.items() if name == "Metric" or name.startswith("Impact")}
    raw = RawParameterMap.of("default.txt", list((dict(entries) | impact).values()))
    resolution = resolve(raw, dimension=3)
    assert [str(problem) for problem in resolution.problems if problem.severity != "hint"] == []
    assert resolution.plan is not None
