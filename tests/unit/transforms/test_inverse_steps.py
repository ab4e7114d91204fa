"""The steps of the way back, one by one, on maps whose solutions are known."""

from typing import final

import pytest
import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.transforms import inverse
from elastix_impact.transforms.affine import AffineTransform
from elastix_impact.transforms.base import AbstractTransform
from elastix_impact.transforms.inverse import (
    Inversion,
    _descend,
    _follow_path,
    _is_between_centres,
    _newton,
    invert_linear,
)


def never(*_: object) -> None:
    raise AssertionError("no inverse needs this")


@final
class Curved(AbstractTransform):
    """(x, y) -> (x + bend x^2 + shift, y), which keeps where it was asked; `flat` says that its slope is zero."""

    dimension, is_linear = 2, False
    spatial_hessian = jacobian = shifted = to = never

    def __init__(self, bend: float, shift: float = 0.0, flat: bool = False) -> None:
        super().__init__(torch.zeros(1))
        self.bend, self.shift, self.flat, self.asked = bend, shift, flat, []

    def map_points(self, points: torch.Tensor) -> torch.Tensor:
        self.asked.append(points.clone())
        x, y = points.unbind(1)
        return torch.stack([x + self.bend * x * x + self.shift, y], dim=1)

    def spatial_jacobian(self, points: torch.Tensor) -> torch.Tensor:
        slopes = torch.eye(2, dtype=points.dtype).repeat(len(points), 1, 1)
        slopes[:, 0, 0] += 2 * self.bend * points[:, 0]
        return torch.zeros_like(slopes) if self.flat else slopes


def row(*values: float) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float64)


def test_the_path_goes_in_sixteen_even_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """For T(x) = x + c it is the straight line x(s) = start + s (asked - start - c)."""
    monkeypatch.setattr(inverse, "_descend", lambda transform, asked, points, slope: points)
    transform, start, asked = Curved(0.0, shift=2.0), row(1.0, 5.0), row(9.0, -3.0)
    end = _follow_path(transform, asked, start)
    torch.testing.assert_close(end, row(7.0, -3.0))
    share = torch.arange(1, 17, dtype=torch.float64).unsqueeze(1) / 16
    line = start + share * (asked - start - row(2.0, 0.0))
    visited = torch.cat(transform.asked)
    torch.testing.assert_close(visited[2::3], line)
    torch.testing.assert_close(visited[0], start[0])


def test_each_place_of_the_path_solves_its_equation(monkeypatch: pytest.MonkeyPatch) -> None:
    """x(s) + s (T(x) - x) = (1 - s) start + s asked; of T(x) = x + 0.1 x^2 at s = 1: x + 0.1 x^2 = 2.4 at 2."""
    monkeypatch.setattr(inverse, "_descend", lambda transform, asked, points, slope: points)
    transform, start, asked = Curved(0.1), row(-1.0, 0.0), row(2.4, 1.0)
    end = _follow_path(transform, asked, start)
    torch.testing.assert_close(end, row(2.0, 1.0), rtol=0, atol=1e-10)
    places = torch.cat(transform.asked)[3::3]  # where each next share begins
    for number, place in enumerate(places, start=1):
        share = number / 16
        x = float(place[0])
        assert x + share * 0.1 * x * x == pytest.approx((1 - share) * -1.0 + share * 2.4, abs=1e-9)


def test_a_path_without_slope_leaves_points_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """At s = 1 the slope 1 + s (0 - 1) is singular; before, steps are taken as if nothing bent."""
    monkeypatch.setattr(inverse, "_descend", lambda transform, asked, points, slope: points)
    assert _follow_path(Curved(0.0, flat=True), row(9.0, 1.0), row(0.0, 0.0)).isfinite().all()


def test_newton_steps_solve_the_linear_equation_and_are_zero_without_one() -> None:
    """The slope at x = 3 is 1 + 2 0.5 3 = 4: an error of 8 is a step of 2."""
    torch.testing.assert_close(_newton(Curved(0.5), row(3.0, 0.0), row(8.0, -1.0)), row(2.0, -1.0))
    torch.testing.assert_close(_newton(Curved(0.5), row(-1.0, 0.0), row(8.0, 0.0)), row(0.0, 0.0))
    assert torch.equal(_newton(Curved(0.0, flat=True), row(1.0, 1.0), row(8.0, 2.0)), row(0.0, 0.0))


def test_steps_that_lead_away_are_halved_until_they_do_not() -> None:
    """x + 0.5 x^2 = 4 at 2, from -0.9, where Newton's first step is 53 long."""
    slope = 100 * torch.eye(2, dtype=torch.float64)
    found = _descend(Curved(0.5), row(4.0, 1.0), row(-0.9, 1.0), slope)
    torch.testing.assert_close(found, row(2.0, 1.0), rtol=0, atol=1e-8)


def test_fixed_point_steps_take_their_slope_are_halved_and_grow_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """T is the identity, so that a step is the slope times what is left; from (1, 2) only a quarter comes closer."""
    monkeypatch.setattr(inverse, "_FIXED_POINT_STEPS", 5)
    monkeypatch.setattr(inverse, "_NEWTON_STEPS", 0)
    transform, slope = Curved(0.0), torch.tensor([[0.25, 0.0], [0.5, 0.25]], dtype=torch.float64)
    _descend(transform, row(4.0, 0.0), row(0.0, 0.0), slope)
    whole, half, quarter = row(1.75, 3.0), row(1.375, 2.5), row(1.1875, 2.25)
    then = quarter + 0.5 * row(0.25 * 2.8125, 0.5 * 2.8125 - 0.25 * 2.25)
    expected = torch.cat([row(0.0, 0.0), row(1.0, 2.0), whole, half, quarter, then])
    torch.testing.assert_close(torch.cat(transform.asked), expected)


def test_a_point_that_has_arrived_stays() -> None:
    transform = Curved(0.0, shift=1.0)
    found = _descend(transform, row(3.0, 2.0), row(2.0, 2.0), torch.eye(2, dtype=torch.float64))
    assert torch.equal(found, row(2.0, 2.0))
    assert len(transform.asked) == 1


@pytest.mark.parametrize(("residual", "determinant", "failed"), [
    (0.0, 1.0, False), (1e-6, 1e-3, False), (1.1e-6, 1.0, True), (0.0, 0.0, True), (0.0, -1.0, True),
    (float("nan"), 1.0, True), (0.0, float("inf"), False),
])  # fmt: skip
def test_what_counts_as_inverted(residual: float, determinant: float, failed: bool) -> None:
    found = Inversion(row(0.0, 0.0), torch.tensor([residual]).double(), torch.tensor([determinant]).double())
    assert found.failed.tolist() == [failed]


def test_between_centres_is_within_the_outermost_voxels() -> None:
    grid = Grid.axis_aligned((5, 4), (2.0, 3.0), (10.0, 20.0))
    points = torch.tensor([[10.1, 20.1], [17.9, 28.9], [9.9, 25.0], [18.1, 25.0], [14.0, 29.1], [14.0, 19.9]])
    assert _is_between_centres(points.double(), grid).tolist() == [True, True, False, False, False, False]


def test_the_inverse_of_a_matrix_and_a_translation() -> None:
    """y = (2 x + 4, y / 2 - 1) is undone by ((x - 4) / 2, 2 y + 2)."""
    there = AffineTransform(torch.tensor([2.0, 0.0, 0.0, 0.5, 4.0, -1.0]), (0.0, 0.0))
    back = invert_linear(there)
    torch.testing.assert_close(back.parameters, torch.tensor([0.5, 0, 0, 2.0, -2.0, 2.0], dtype=torch.float64))
