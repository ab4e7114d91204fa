"""Landmarks written in every form are read back as they were."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from elastix_impact.errors import OutputError
from elastix_impact.io.landmark_formats import parse_points
from elastix_impact.io.landmark_texts import landmark_text
from elastix_impact.io.points import read_points, write_points

COORDINATE = st.floats(-1e4, 1e4, allow_subnormal=False)
LABEL = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8)
CASE = st.lists(st.tuples(st.tuples(COORDINATE, COORDINATE, COORDINATE), LABEL), min_size=1, max_size=6)


@pytest.mark.parametrize("name", ["p.txt", "p.csv", "p.fcsv", "p.mrk.json"])
@given(CASE)
def test_what_is_written_is_read(tmp_path_factory, name, case):
    points, labels = [point for point, _ in case], [label for _, label in case]
    path = tmp_path_factory.getbasetemp() / name
    table = parse_points(landmark_text(path, points, labels), path)
    assert table.points.tolist() == [list(point) for point in points]
    assert not table.are_indices
    assert table.labels == (None if name == "p.txt" else tuple(labels))


@pytest.mark.parametrize("name", ["p.txt", "p.csv"])
def test_points_of_two_dimensions(tmp_path, name):
    points = torch.tensor([[1.0, 2.5], [-3.0, 4.0]], dtype=torch.float64)
    write_points(tmp_path / name, points)
    assert torch.equal(read_points(tmp_path / name, None).world_points, points)


@pytest.mark.parametrize("name", ["p.fcsv", "p.mrk.json"])
def test_slicer_has_no_points_of_two_dimensions(tmp_path, name):
    with pytest.raises(OutputError, match="3 dimensions"):
        write_points(tmp_path / name, torch.zeros(2, 2))
    assert list(tmp_path.iterdir()) == []


def test_points_without_labels_are_numbered_in_slicer_s_files(tmp_path):
    write_points(tmp_path / "p.mrk.json", torch.zeros(2, 3))
    assert read_points(tmp_path / "p.mrk.json", None).labels == ("1", "2")
