"""The parameters that are ours: off unless a map asks for them, and per level."""

import json

import pytest

from elastix_impact.parameters.resolve import resolve
from elastix_impact.parameters.text import parse_parameter_text
from small_map import map_text

SEVERAL = {
    "Registration": '"MultiMetricMultiResolutionRegistration"',
    "Metric": '"Impact" "TransformBendingEnergyPenalty"',
    "Metric1Weight": "5",
}


def test_they_are_off_by_default(plan) -> None:
    for level in plan().levels:
        assert (level.sample_where_both_see, level.fixed_mask_margin, level.repeat_while_folding) == (False, 0.0, False)


def test_written_out_defaults_change_nothing(plan) -> None:
    given = {"SampleWhereBothSee": '"false"', "FixedMaskMargin": "0", "RepeatWhileFolding": '"false"'}
    assert json.dumps(plan(**given).to_json()) == json.dumps(plan().to_json())


def test_they_are_counted_per_level(plan) -> None:
    made = plan(
        **SEVERAL, SampleWhereBothSee='"true" "false"', FixedMaskMargin="8 2.5", RepeatWhileFolding='"false" "true"'
    )
    assert [level.sample_where_both_see for level in made.levels] == [True, False]
    assert [level.fixed_mask_margin for level in made.levels] == [8.0, 2.5]
    assert [level.repeat_while_folding for level in made.levels] == [False, True]
    assert [level.sample_where_both_see for level in plan(SampleWhereBothSee='"true"').levels] == [True, True]


@pytest.mark.parametrize("change", [{"FixedMaskMargin": "-1"}, {"SampleWhereBothSee": '"yes"'}])
def test_what_they_can_not_be(only_error, change: dict[str, str]) -> None:
    assert only_error(**change).parameter == next(iter(change))


def test_repeating_needs_a_bending_energy(only_error) -> None:
    error = only_error(RepeatWhileFolding='"true"')
    assert "no bending energy" in error.message
    assert "TransformBendingEnergyPenalty" in error.remedy


def test_effective_values_name_them() -> None:
    text = map_text(SampleWhereBothSee='"true"')
    effective = {value.name: value for value in resolve(parse_parameter_text(text, "map.txt")).effective}
    assert effective["SampleWhereBothSee"].values == ("true", "true")
    assert effective["FixedMaskMargin"].origin == "default"
