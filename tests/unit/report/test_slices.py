"""What the planes of a report show, against formulas."""

import torch

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.report.planes import planes_through
from elastix_impact.report.slices import field_slice, image_slice, shade
from elastix_impact.report.windows import Window
from elastix_impact.transforms.affine import AffineTransform

GRID = Grid.axis_aligned((30, 30, 30), (2.0, 2.0, 2.0), (-29.0, -29.0, -29.0))


def _scaled(factor: float, shift: tuple[float, float, float]) -> AffineTransform:
    parameters = torch.cat([(factor * torch.eye(3, dtype=torch.float64)).flatten(), torch.tensor(shift).double()])
    return AffineTransform(parameters, centre=(0.0, 0.0, 0.0))


def _ramp(axis: int) -> Image:
    return Image(GRID.world_points(torch.float32)[:, axis].reshape(GRID.shape), GRID)


def test_before_is_the_moving_image_as_it_lies_and_after_as_it_is_mapped() -> None:
    transform = _scaled(1.0, (4.0, 0.0, 0.0))
    axial = planes_through(GRID, GRID.centre)[0]
    shown = image_slice(axial, _ramp(0), _ramp(0), None, transform)
    x = axial.grid.world_points(torch.float32)[:, 0].reshape(shown.fixed.shape)
    inside = shown.after.isfinite() & (x.abs() < 24)
    assert inside.float().mean() > 0.6
    torch.testing.assert_close(shown.fixed[inside], x[inside], rtol=0, atol=1e-3)
    torch.testing.assert_close(shown.before, shown.fixed, equal_nan=True)
    torch.testing.assert_close(shown.after[inside], x[inside] + 4, rtol=0, atol=1e-3)


def test_displacements_are_along_the_pages_axes() -> None:
    coronal = planes_through(GRID, GRID.centre)[1]
    field = field_slice(coronal, _scaled(1.0, (1.0, 2.0, 3.0)))
    shift = torch.tensor([1.0, -3.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(field.displacement, shift.expand_as(field.displacement))


def test_the_determinant_is_the_volume_change() -> None:
    field = field_slice(planes_through(GRID, GRID.centre)[2], _scaled(1.1, (0.0, 0.0, 0.0)))
    torch.testing.assert_close(field.determinant, torch.full_like(field.determinant, 1.1**3))


def test_shades_run_from_black_to_white_and_are_black_outside() -> None:
    assert shade(torch.tensor([-9.0, 10.0, 15.0, 20.0, float("nan")]), Window(10, 20, "")).tolist() == [0, 0, 0.5, 1, 0]
