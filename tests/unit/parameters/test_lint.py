"""Names that mean nothing, something else, or nothing here."""

import pytest


@pytest.mark.parametrize(
    ("name", "severity", "words"),
    [
        ("ImpactDistence0", "error", "Did you mean ImpactDistance0?"),
        ("ImpctVoxelSize1", "error", "Did you mean ImpactVoxelSize1?"),
        ("FixedDimension0", "error", "Did you mean ImpactFixedDimension0?"),
        ("ImpactVoxelSize", "error", "Did you mean ImpactVoxelSize0?"),
        ("ImpactMode0", "error", "Did you mean ImpactMode?"),
        ("Mode", "error", "Did you mean ImpactMode?"),
        ("VoxelSize1", "error", "Did you mean ImpactVoxelSize1?"),
        ("ImpactVoxelSize00", "error", "Did you mean ImpactVoxelSize0?"),
        ("ImpactZebra", "error", ""),
        ("NumberOfSpatialSample", "warning", "Did you mean NumberOfSpatialSamples?"),
        ("Zebra", "warning", "Delete the line"),
        ("ImpactVoxelSize2", "warning", "NumberOfResolutions is 2"),
        ("ImpactFixedVoxelSize0", "warning", "the fixed image uses the models of ImpactModelsPath"),
        ("ImpactNormalizeLosses", "warning", "not available"),
        ("ImpactFeatureNormalization0", "warning", "not available"),
        ("NumberOfHistogramBins", "hint", "no effect"),
        ("Metric0Weight", "hint", "no effect"),
        ("GridSize", "hint", "no effect"),
        ("FixedImageBSplineInterpolationOrder", "hint", "no effect"),
        ("InitialTransformParametersFileName", "hint", "no effect"),
    ],
)
def test_remarks_on_names(resolved, name: str, severity: str, words: str) -> None:
    resolution = resolved(**{name: "1"})
    (problem,) = resolution.problems
    assert (problem.severity, problem.parameter, problem.line) == (severity, name, 22)
    assert words in str(problem)
    assert (resolution.plan is None) == (severity == "error")


def test_no_hints_for_maps_that_run_elsewhere(resolved) -> None:
    problems = resolved(Metric='"AdvancedKappaStatistic"', NumberOfHistogramBins="32").problems
    assert [problem.parameter for problem in problems] == ["Metric"]


def test_old_spellings_that_are_read(resolved) -> None:
    (hint,) = resolved(ImpactWriteFeatureMaps='"maps"').problems
    assert (hint.severity, hint.message) == ("hint", "old spelling of ImpactFeatureMapOutputDirectory")
    (warning,) = resolved(ImpactModelsPath0=None, ModelsPath='"a.pt"').problems
    assert (warning.severity, warning.message) == ("warning", "old spelling of ImpactModelsPath0")


def test_an_old_spelling_beside_todays_is_not_read(resolved) -> None:
    changes = {"ImpactWriteFeatureMaps": '"old"', "ImpactFeatureMapOutputDirectory": '"new"'}
    resolution = resolved(**changes)
    assert resolution.plan.levels[0].terms[0].metric.feature_maps_directory == "new"
    (hint,) = resolution.problems
    assert (hint.parameter, hint.message) == ("ImpactWriteFeatureMaps", "has no effect with this map")


def test_names_that_an_error_kept_from_being_read_are_not_called_idle(resolved) -> None:
    problems = resolved(ImpactMode='"Statik"', UseComplement='"true"').problems
    assert [problem.parameter for problem in problems] == ["ImpactMode", "UseComplement"]
