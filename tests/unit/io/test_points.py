"""Landmark files of every form, and their faults with file and line."""

import json

import pytest
import torch

from elastix_impact.errors import LandmarkError
from elastix_impact.geometry.grid import Grid
from elastix_impact.io.points import Landmarks, landmarks_of_both, pair_landmarks, read_points, write_points
from elastix_impact.io.warning import InputWarning

GRID = Grid((10, 20, 30), (2.0, 3.0, 4.0), (100.0, 200.0, 300.0), ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0)))


def _read(tmp_path, name, text, grid=None):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    return read_points(path, grid)


def test_written_points_are_read_back_exactly(tmp_path):
    points = torch.rand(50, 3, dtype=torch.float64) * 4000 - 2000
    write_points(tmp_path / "p.txt", points)
    assert torch.equal(read_points(tmp_path / "p.txt", None).world_points, points)


@pytest.mark.parametrize("head", ["index\n", ""])
def test_indices_become_world_points_of_their_image(tmp_path, head):
    points = _read(tmp_path, "p.txt", f"{head}2\n0 0 0\n1 2 3\n", GRID).world_points
    assert points.tolist() == [[100, 200, 300], [102, 212, 294]]


def test_blank_lines_comments_and_windows_line_ends_do_not_matter(tmp_path):
    text = "\ufeff# made by hand\r\npoint\r\n\r\n2\r\n1.5 2 3\r\n\r\n-4e1 5 6\r\n"
    assert _read(tmp_path, "p.txt", text).world_points.tolist() == [[1.5, 2, 3], [-40, 5, 6]]


def test_two_dimensional_points(tmp_path):
    assert _read(tmp_path, "p.txt", "point\n1\n1 2\n").world_points.shape == (1, 2)


@pytest.mark.parametrize(("system", "sign"), [("LPS", 1), ("RAS", -1), ("0", -1), ("1", 1)])
def test_slicer_fiducials_in_both_coordinate_systems(tmp_path, system, sign):
    text = (
        "# Markups fiducial file version = 4.11\n"
        f"# CoordinateSystem = {system}\n"
        "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
        'a_1,1.5,2.5,3.5,0,0,0,1,1,1,0,"carina, left",,\n'
        "a_2,4,5,6,0,0,0,1,1,1,0,apex,,\n"
    )
    landmarks = _read(tmp_path, "p.fcsv", text)
    assert landmarks.world_points.tolist() == [[sign * 1.5, sign * 2.5, 3.5], [sign * 4, sign * 5, 6]]
    assert landmarks.labels == ("carina, left", "apex")


@pytest.mark.parametrize(("system", "sign"), [("LPS", 1), ("RAS", -1)])
def test_slicer_markups_json(tmp_path, system, sign):
    markup = {
        "type": "Fiducial",
        "coordinateSystem": system,
        "controlPoints": [{"label": "F-1", "position": [1.0, 2.0, 3.0]}, {"label": "F-2", "position": [4.0, 5.0, 6.0]}],
    }
    landmarks = _read(tmp_path, "p.mrk.json", json.dumps({"markups": [markup]}))
    assert landmarks.world_points.tolist() == [[sign, 2 * sign, 3], [4 * sign, 5 * sign, 6]]
    assert landmarks.labels == ("F-1", "F-2")


def test_tables_with_named_columns(tmp_path):
    assert _read(tmp_path, "p.csv", ",x,y\n0,1.5,2\n1,3,4\n").world_points.tolist() == [[1.5, 2], [3, 4]]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_tables_with_labels_in_any_order_of_columns(tmp_path, mark):
    text = "label,z,y,x\nb,3,2,1\na,6,5,4\n".replace(",", mark)
    landmarks = _read(tmp_path, "p.csv", text)
    assert landmarks.world_points.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert landmarks.labels == ("b", "a")


def test_the_number_may_follow_the_kind_and_a_comment_a_point(tmp_path):
    assert _read(tmp_path, "p.txt", "point 1\n1 2 3 // carina\n").world_points.tolist() == [[1, 2, 3]]


def test_old_fiducial_files_without_a_header_are_ras(tmp_path):
    landmarks = _read(tmp_path, "p.fcsv", "F_0,1,2,3,0,0,0,1,1,1,0,apex\n")
    assert landmarks.world_points.tolist() == [[-1, -2, 3]]
    assert landmarks.labels == ("apex",)


def _landmarks(labels, name):
    points = torch.arange(3.0 * len(labels), dtype=torch.float64).reshape(-1, 3)
    return Landmarks(points, tuple(labels), name)


def test_pairs_are_found_by_label_whatever_the_order():
    fixed, moving = pair_landmarks(_landmarks("abc", "f"), _landmarks("cab", "m"))
    assert fixed[:, 0].tolist() == [0, 3, 6]
    assert moving[:, 0].tolist() == [3, 6, 0]


def test_labels_that_differ_leave_the_order_with_a_warning():
    with pytest.warns(InputWarning, match="paired by their order"):
        fixed, moving = pair_landmarks(_landmarks("abc", "f"), _landmarks("abd", "m"))
    assert torch.equal(fixed, moving)


def test_unequal_numbers_are_refused_with_both():
    with pytest.raises(LandmarkError, match="3 fixed landmarks in f and 2 moving ones"):
        pair_landmarks(_landmarks("abc", "f"), _landmarks("ab", "m"))


def _markup(point):
    return '{"markups": [{"coordinateSystem": "RAS", "controlPoints": [{' + point + "}]}]}"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("p.txt", "", "empty"),
        ("p.txt", "point\n3\n1 2 3\n", "3 points are announced and 1 follow"),
        ("p.txt", "point\n1 2 3\n", r"p\.txt:2: the number of points is missing"),
        ("p.txt", "point\n2\n1 2 3\n1 two 3\n", r"p\.txt:4: no number in '1 two 3'"),
        ("p.txt", "point\n2\n1 2 3\n1 2\n", r"p\.txt:4: 2 coordinates\. Expected: 3"),
        ("p.txt", "point\n1\n1 2 3 4\n", r"p\.txt:3: 4 numbers"),
        ("p.txt", "point\n²\n1 2 3\n", r"p\.txt:2: the number of points is missing"),
        ("p.txt", "point\n", r"p\.txt:1: the number of points is missing, found 'the end of the file'"),
        ("p.txt", "point\n0\n", "there are no landmarks"),
        ("p.txt", "point\n2\n1 2 3\n\n1 2 nan\n", r"p\.txt:5: a coordinate is NaN"),
        ("p.txt", "index\n1\n1 2 3\n", "their image is not known"),
        ("p.mrk.json", '{"markups":\n}', r"p\.mrk\.json:2: not valid JSON"),
        ("p.mrk.json", '{"markups": 3}', "not a Slicer markups file"),
        ("p.mrk.json", '{"markups": [{"controlPoints": ["x"]}]}', "not a Slicer markups file"),
        ("p.mrk.json", '{"markups": [{"controlPoints": []}]}', "there are no landmarks"),
        ("p.mrk.json", _markup('"position": [1, 2]'), "control point 1: 2 numbers"),
        ("p.mrk.json", _markup('"position": [1, 2, NaN]'), "control point 1: a coordinate is NaN"),
        ("p.mrk.json", _markup('"position": null, "label": "apex"'), '"apex" has no position'),
        ("p.mrk.json", _markup('"position": [0, 0, 0], "positionStatus": "undefined"'), "has no position"),
        ("p.fcsv", "1,1\n", r"p\.fcsv:1: no number"),
        ("p.fcsv", "# CoordinateSystem = LPS\n1,a,2,3\n", r"p\.fcsv:2: no number"),
        ("p.fcsv", "# CoordinateSystem = XYZ\n1,1,2,3\n", "unknown coordinate system"),
        ("p.csv", "a,b\n1,2\n", r"p\.csv:1: the columns are a, b"),
        ("p.csv", "x,y,z\n\n\n1,2,q\n", r"p\.csv:4: no number"),
        ("p.csv", "x,y,z\n1,2,3\n1,2\n", r"p\.csv:3: the line has 2 cells, there are 3 columns"),
        ("p.csv", "x,y,z\n1,2,3,4\n", r"p\.csv:2: the line has 4 cells, there are 3 columns"),
        ("p.csv", "x,y,z\n1,2,1_0\n", r"p\.csv:2: no number"),
        ("p.fcsv", "# columns = id,x,y,z,label\n1,2,3,4\n", r"p\.fcsv:2: the line has 4 cells, there are 5 columns"),
        ("p.csv", "x,y\n" + "1" * 200_000 + ",2\n", r"p\.csv:2: the line can't be split"),
        ("p.csv", "", "empty"),
    ],
)
def test_faults_are_named_with_file_and_line(tmp_path, name, text, says):
    with pytest.raises(LandmarkError, match=says) as caught:
        _read(tmp_path, name, text)
    assert name in str(caught.value)


@pytest.mark.parametrize("labels", [("abc", "abd"), ("aab", "aba")])
def test_labels_that_do_not_pair_are_not_used(labels):
    with pytest.warns(InputWarning, match="the labels of f and m differ"):
        pair_landmarks(_landmarks(labels[0], "f"), _landmarks(labels[1], "m"))


def test_points_of_different_dimension_are_refused(tmp_path):
    flat = _read(tmp_path, "p.txt", "point\n1\n1 2\n")
    with pytest.raises(LandmarkError, match=r"2-D and 3-D"):
        pair_landmarks(flat, _landmarks("a", "m"))
    with pytest.raises(LandmarkError, match="2-D indices for an image of 3 dimensions"):
        _read(tmp_path, "i.txt", "index\n1\n1 2\n", GRID)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "p.txt").write_bytes("point\n1\n1 2 3\n".encode("utf-16"))
    with pytest.raises(LandmarkError, match="not text"):
        read_points(tmp_path / "p.txt", None)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LandmarkError, match=r"nowhere\.txt: no such landmark file"):
        read_points(tmp_path / "nowhere.txt", None)


def test_pixels_of_histology_collections_by_their_numbers(tmp_path):
    """CIMA's and ANHIR's form: a first column without a name, pixels, files of different length."""
    (tmp_path / "fixed.csv").write_text(",X,Y\n1,10,20\n2,30,40\n3,50,60\n")
    (tmp_path / "moving.csv").write_text(",X,Y\n3,5,6\n1,1,2\n")
    grid = Grid.axis_aligned((100, 100), (0.5, 0.5), (7.0, 0.0))
    fixed, moving = (read_points(tmp_path / f"{role}.csv", grid) for role in ("fixed", "moving"))
    assert fixed.were_indices
    assert fixed.labels == ("1", "2", "3")
    with pytest.warns(InputWarning, match="1 landmarks that only one of"):
        fixed, moving = landmarks_of_both(fixed, moving)
    assert fixed.labels == moving.labels == ("1", "3")
    first, second = pair_landmarks(fixed, moving)
    assert first.tolist() == [[12.0, 10.0], [32.0, 30.0]]
    assert second.tolist() == [[7.5, 1.0], [9.5, 3.0]]
