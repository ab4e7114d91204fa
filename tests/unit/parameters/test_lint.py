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
        ("ImpactZebra", "error", ""),
        ("NumberOfSpatialSample", "warning", "Did you mean NumberOfSpatialSamples?"),
        ("Zebra", "warning", "Delete the line"),
        ("ImpactVoxelSize2", "warning", "NumberOfResolutions is 2"),
        ("ImpactNormalizeLosses", "warning", "not available"),
        ("ImpactFeatureNormalization0", "warning", "not available"),
        ("NumberOfHistogramBins", "hint", "no effect"),
        ("Metric0Weight", "hint", "no effect"),
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
    problems = resolved(Metric='"AdvancedMeanSquares"', NumberOfHistogramBins="32").problems
    assert [problem.parameter for problem in problems] == ["Metric"]
