"""The start by a search: off unless a map asks for it, its numbers, and what they can't be."""

import pytest

from elastix_impact.parameters.plan import SearchPlan

METHOD = "AutomaticTransformInitializationMethod"
SEARCH = {"Transform": '"EulerTransform"', "AutomaticTransformInitialization": '"true"', METHOD: '"FeatureSearch"'}


def test_its_numbers_have_defaults(plan) -> None:
    made = plan(**SEARCH).transform
    assert made.automatic_initialisation == "FeatureSearch"
    assert made.search == SearchPlan(rotations=200, voxel_size=None, minimum_overlap=0.5, candidates=5)


def test_other_methods_search_nothing(plan) -> None:
    assert plan(**SEARCH | {METHOD: '"CenterOfGravity"'}).transform.search is None
    assert plan(**SEARCH | {"AutomaticTransformInitialization": '"false"'}).transform.search is None


@pytest.mark.parametrize(("text", "rotations"), [("576", 576), ('"near"', "near")])
def test_what_a_map_says_counts(plan, text: str, rotations: object) -> None:
    given = {"SearchRotations": text, "SearchVoxelSize": "7.5", "SearchMinimumOverlap": "0.3", "SearchCandidates": "9"}
    expected = SearchPlan(rotations=rotations, voxel_size=7.5, minimum_overlap=0.3, candidates=9)  # type: ignore[arg-type]
    assert plan(**SEARCH, **given).transform.search == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"SearchRotations": '"many"'}, "no number of rotations"),
        ({"SearchRotations": "0"}, "no number of rotations"),
        ({"SearchRotations": "1e9"}, "no number of rotations"),
        ({"SearchVoxelSize": "0"}, "too small"),
        ({"SearchMinimumOverlap": "1.5"}, "too large"),
        ({"SearchCandidates": "0"}, "too small"),
    ],
)
def test_what_they_can_not_be(only_error, change: dict[str, str], message: str) -> None:
    error = only_error(**SEARCH, **change)
    assert error.parameter == next(iter(change))
    assert message in error.message
    assert error.remedy


def test_a_translation_can_not_be_searched(only_error) -> None:
    error = only_error(**SEARCH | {"Transform": '"TranslationTransform"'})
    assert error.parameter == METHOD
    assert "EulerTransform" in error.remedy


def test_itk_elastix_can_not_search(only_error) -> None:
    error = only_error(**SEARCH, Metric='"AdvancedKappaStatistic"')
    assert error.parameter == METHOD
    assert "itk-elastix" in error.message
