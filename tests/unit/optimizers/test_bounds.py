"""Numbers at the bounds of what optimisers take: those on the right side are taken."""

import math

import pytest

from elastix_impact.errors import InputError
from elastix_impact.optimizers.asgd import AsgdSettings
from elastix_impact.optimizers.gradient_descent import GradientDescentSettings
from elastix_impact.optimizers.lbfgs import LbfgsSettings


@pytest.mark.parametrize("kind", [AsgdSettings, GradientDescentSettings])
def test_gains(kind: type) -> None:
    assert kind(a=0.0, A=-0.99).a == 0.0
    for wrong in ({"a": -1e-9}, {"a": math.inf}, {"a": math.nan}, {"a": 1.0, "A": -1.0}, {"a": 1.0, "A": math.inf}):
        with pytest.raises(InputError, match="SP_"):
            kind(**wrong)


def test_sigmoids() -> None:
    assert AsgdSettings(a=1.0, sigmoid_min=0.0, sigmoid_max=1e-9, sigmoid_scale=1e-30, initial_time=0.0).a == 1.0
    wrong = {"sigmoid_max": 0.0, "sigmoid_min": 1e-9, "sigmoid_scale": 0.0, "initial_time": -1e-9}
    for name, value in wrong.items():
        with pytest.raises(InputError, match="Sigmoid"):
            AsgdSettings(a=1.0, **{name: value})


def test_line_searches() -> None:
    assert LbfgsSettings(memory=0, line_search_iterations=1, value_tolerance=0.5, gradient_tolerance=0.5).memory == 0
    wrong = [{"value_tolerance": 0.0}, {"step_length": math.inf}, {"value_tolerance": 0.6, "gradient_tolerance": 0.5}]
    for settings in wrong:
        with pytest.raises(InputError):
            LbfgsSettings(**settings)
