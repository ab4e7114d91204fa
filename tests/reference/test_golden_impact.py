"""IMPACT in both modes against the reference implementation: value and derivative at the start, one step each.

How the numbers were made: ../shared/golden/README.md. The step is minus the derivative, so the parameters that
the reference wrote after one step of gain 1 give its derivative.
"""

import json
from pathlib import Path

import pytest
import torch

from elastix_impact.io.images import read_image
from elastix_impact.io.transform_file import read_transform_file
from elastix_impact.metrics.impact.distances import DISTANCES
from elastix_impact.parameters.resolve import plan_or_raise
from elastix_impact.parameters.text import parse_parameter_text
from elastix_impact.registration.register import register
from slow_cases import slow_marked

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden"
VALUES = json.loads((GOLDEN / "values.json").read_text()) if GOLDEN.is_dir() else {}
WRONG_REFERENCE_DERIVATIVE = ("plain_L1Cosine", "plain_Cosine")
"""Cases whose reference derivative is not that of their value; see the last test."""


class _Values:
    """Keeps the first value."""

    wants_parameters = False

    def __init__(self):
        self.first = None

    def on_iterations(self, level, rows, transform):
        self.first = rows[0].metric if self.first is None else self.first
        return False

    def __getattr__(self, name):
        return lambda *args: None


def _run(case, folder):
    text = (folder / "maps" / f"{case}.txt").read_text() + '(ImpactJacobianGradient "Center")\n'
    plan = plan_or_raise(parse_parameter_text(text, f"{case}.txt"))
    fixed, moving = (
        read_image(folder / "inputs" / f"{VALUES[case]['pair']}_{role}.mha") for role in ("fixed", "moving")
    )
    watcher = _Values()
    result = register(
        plan,
        fixed,
        moving,
        find_model=lambda name, dimension: folder / name,
        device=torch.device("cpu"),
        observers=[watcher],
    )
    return watcher.first, result.current


SLOW = {"jacobian3d_two_layers_L2"}
"""Takes minutes."""


@pytest.mark.shared
@pytest.mark.parametrize("case", slow_marked(sorted(VALUES), SLOW))
def test_value_and_derivative_agree_with_the_reference(shared, case):
    value, transform = _run(case, shared / "golden")
    assert value == pytest.approx(VALUES[case]["value"], rel=1e-3)
    if case.endswith(WRONG_REFERENCE_DERIVATIVE):
        return
    _assert_derivative_agrees(transform, shared, case)


def _assert_derivative_agrees(transform, shared, case):
    reference = read_transform_file(shared / "golden" / "transforms" / f"{case}.txt").transform
    start = _start(reference)
    ours, theirs = start - transform.parameters, start - reference.parameters
    assert torch.nn.functional.cosine_similarity(ours, theirs, dim=0).item() > 0.999
    assert (ours.norm() / theirs.norm()).item() == pytest.approx(1.0, abs=0.01)


def _start(transform):
    """What the reference started from: zeros, but the identity for an affine matrix."""
    start = torch.zeros_like(transform.parameters)
    if type(transform).__name__ == "AffineTransform":
        start[[0, 4, 8]] = 1.0
    return start


def _cosine_with_the_reference_derivative(fixed, moving, weights, count):
    """The reference's slip: f * m * m where the derivative of the cosine has (f . m) m."""
    length_f, length_m = fixed.norm(dim=1, keepdim=True), moving.detach().norm(dim=1, keepdim=True)
    m = moving.detach()
    slope = -(fixed / (length_f * length_m) - fixed * m * m / (length_f * length_m**3))
    value = DISTANCES["Cosine"](fixed, m, weights, count)
    return value + (slope * weights.unsqueeze(1) / count * (moving - m)).sum()


@pytest.mark.shared
def test_the_reference_derivative_of_cosine_is_explained_by_its_slip(shared, monkeypatch):
    monkeypatch.setattr(
        "elastix_impact.metrics.impact.layers.DISTANCES", {"Cosine": _cosine_with_the_reference_derivative}
    )
    _, transform = _run("static3d_plain_Cosine", shared / "golden")
    _assert_derivative_agrees(transform, shared, "static3d_plain_Cosine")
