"""Outlines of structures: where the structures are, before and after, in the slices that cut most of them."""

import re

import numpy as np
import pytest
import torch
from matplotlib.path import Path as Polygon
from torch import Tensor

from elastix_impact.geometry.grid import Grid
from elastix_impact.geometry.image import Image
from elastix_impact.report.contours import Outline, outline_path, outlines_svg
from elastix_impact.report.planes import planes_through
from elastix_impact.report.structures import (
    COLOURS,
    drawn_structures,
    fullest_point,
    label_slice,
    outlines_of,
    structure_name,
)
from elastix_impact.transforms.translation import TranslationTransform

GRID = Grid.axis_aligned((40, 40, 40), (2.0, 2.0, 2.0), (-39.0, -39.0, -39.0))


def polygons(path: str) -> list[np.ndarray]:
    """The closed polygons of path data, (N, 2) each."""
    found = []
    for part in re.findall(r"M([^Mz]*)z", path):
        steps = [tuple(map(float, pair.split(","))) for pair in part.replace("l", " ").split()]
        found.append(np.cumsum(steps, axis=0))
    return found


def _inside(path: str, shape: tuple[int, int]) -> Tensor:
    """Which pixels lie inside an outline, by the even-odd rule."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    points = np.stack([columns.ravel(), rows.ravel()], axis=1)
    times = sum(Polygon(polygon).contains_points(points).astype(int) for polygon in polygons(path))
    return torch.from_numpy(np.asarray(times) % 2 == 1).reshape(shape)


@pytest.mark.parametrize("label", [1, 2, 3])
def test_an_outline_runs_around_the_pixels_of_its_label(label: int) -> None:
    labels = torch.zeros(20, 30, dtype=torch.int64)
    labels[3:12, 4:20] = 1
    labels[5:8, 8:12] = 0  # a hole
    labels[14:, :7] = 2  # at the border
    labels[15, 20] = 3  # one pixel
    assert torch.equal(_inside(outline_path(labels, label), (20, 30)), labels == label)


def test_an_outline_of_a_rectangle_is_short_and_exact() -> None:
    labels = torch.zeros(50, 60, dtype=torch.int64)
    labels[10:20, 30:50] = 7
    (corners,) = polygons(outline_path(labels, 7))
    assert len(corners) <= 8
    np.testing.assert_allclose(corners.min(0), [29.5, 9.5])
    np.testing.assert_allclose(corners.max(0), [49.5, 19.5])
    assert outline_path(labels, 8) == ""


def _box(centre: tuple[float, float, float], half: float, label: int) -> Tensor:
    away = (GRID.world_points() - torch.tensor(centre, dtype=torch.float64)).abs().amax(1)
    return torch.where(away < half, label, 0).reshape(GRID.shape)


def test_outlines_lie_where_the_structure_is_before_and_after() -> None:
    """The moving structure lies 10 mm to the left and 6 mm deeper; the transform finds it."""
    labels = Image(_box((0, 0, 0), 12, 5), GRID), Image(_box((10, 6, 0), 12, 5), GRID)
    transform = TranslationTransform(torch.tensor([10.0, 6.0, 0.0], dtype=torch.float64))
    axial = planes_through(GRID, (0.0, 0.0, 0.0))[0]
    found = label_slice(axial, labels, None, transform)
    structures = drawn_structures([found], [{"label": 5, "dice": 1.0}])
    middles = {}
    for when in ("fixed", "before", "after"):
        (outline,) = outlines_of(getattr(found, when), structures, "solid", when)
        (corners,) = polygons(outline.path)
        middles[when] = (corners.min(0) + corners.max(0)) / 2
    pixel = axial.grid.spacing[0]
    np.testing.assert_allclose(middles["fixed"], axial.to_pixel((0.0, 0.0, 0.0)), atol=1)
    np.testing.assert_allclose((middles["before"] - middles["fixed"]) * pixel, [10, 6], atol=1)
    np.testing.assert_allclose(middles["after"], middles["fixed"], atol=1)


def test_slices_cut_most_structures_near_their_widest() -> None:
    labels = _box((-20, 10, 20), 6, 1) + _box((20, 10, 24), 6, 2) + _box((20, -30, -30), 6, 3)
    point = fullest_point(Image(labels, GRID), [1, 2, 3])
    assert point is not None
    assert all(low < value < high for value, low, high in zip(point, (14, 4, 18), (26, 16, 26), strict=True))
    assert fullest_point(Image(labels, GRID), [9]) is None


def test_the_worst_in_view_are_drawn_each_in_a_colour_of_its_own() -> None:
    values = torch.arange(40).reshape(5, 8)
    plane = planes_through(Grid.axis_aligned((8, 5), (1.0, 1.0)), (1.0, 1.0))[0]
    still = TranslationTransform(torch.zeros(2, dtype=torch.float64))
    image = Image(values, Grid.axis_aligned((8, 5), (1.0, 1.0)))
    found = [label_slice(plane, (image, image), None, still)]
    scores = [{"label": label, "dice": label / 100, "name": f"organ {label}"} for label in range(50, 0, -1)]
    drawn = drawn_structures(found, scores)
    assert [one.label for one in drawn] == list(range(1, len(COLOURS) + 1))
    assert len({one.colour for one in drawn}) == len(COLOURS)
    assert drawn[0].name == "organ 1"
    assert structure_name({"label": 3}) == "label 3"
    assert drawn_structures(found, [{"label": 99, "dice": 0.5}]) == ()


def test_the_layer_lies_exactly_over_its_picture_and_escapes_names() -> None:
    plane = planes_through(GRID, (0.0, 0.0, 0.0))[0]
    svg = outlines_svg(
        plane, [Outline("M1,1l2,0z", "#fff", "dashed", "<b>"), Outline("", "#000", "area", "none")], "alt"
    )
    width, height = plane.size
    assert f'viewBox="-0.5 -0.5 {width} {height}"' in svg
    assert svg.count("<path") == 1
    assert 'class="dashed"' in svg
    assert "<title>&lt;b&gt;</title>" in svg
