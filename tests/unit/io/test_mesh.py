"""Legacy VTK meshes: points move, every other byte stays."""

import numpy as np
import pytest
import torch

from elastix_impact.errors import LandmarkError
from elastix_impact.io.mesh import read_mesh, write_mesh
from elastix_impact.io.warning import InputWarning

POINTS = np.array([[1.5, -2.25, 1e3], [0.1, 7.0, -3.0], [4.0, 5.0, 6.0]])
HEAD = b"# vtk DataFile Version 4.2\n%s\n%s\nDATASET UNSTRUCTURED_GRID\nFIELD FieldData 1\nname 1 1 int\n7 \n"
TAIL = b"CELLS 1 4\n3 0 1 2\n\nCELL_TYPES 1\n5\nPOINT_DATA 3\nSCALARS t float 1\nLOOKUP_TABLE default\n1 2 3\n"


def text_file(path, title=b"a title", tail=TAIL, kind="double"):
    numbers = b"\n".join(b" ".join(repr(c).encode() for c in row) for row in POINTS.tolist())
    path.write_bytes(HEAD % (title, b"ASCII") + f"POINTS 3 {kind}\n".encode() + numbers + b"\n" + tail)
    return path


def binary_file(path, kind="float"):
    numbers = POINTS.astype(">f4" if kind == "float" else ">f8").tobytes()
    tail = b"\nPOLYGONS 1 4\n" + np.array([3, 0, 1, 2], dtype=">i4").tobytes() + b"\n"
    path.write_bytes(HEAD % (b"bytes", b"BINARY") + f"POINTS 3 {kind}\n".encode() + numbers + tail)
    return path


@pytest.mark.parametrize("make", [text_file, binary_file])
@pytest.mark.parametrize("kind", ["float", "double"])
def test_a_mesh_that_does_not_move_stays_byte_for_byte_but_for_white_space(tmp_path, make, kind):
    path = make(tmp_path / "m.vtk", kind=kind)
    mesh = read_mesh(path)
    assert mesh.world_points.dtype == torch.float64
    np.testing.assert_allclose(mesh.world_points.numpy(), POINTS, rtol=1e-7)
    write_mesh(tmp_path / "again.vtk", mesh, mesh.world_points)
    again = read_mesh(tmp_path / "again.vtk")
    assert torch.equal(again.world_points, mesh.world_points)
    assert (again.head, again.tail.strip(), again.precision) == (mesh.head, mesh.tail.strip(), kind)
    if make is binary_file:
        assert (tmp_path / "again.vtk").read_bytes() == path.read_bytes()


def test_only_the_points_change(tmp_path):
    mesh = read_mesh(text_file(tmp_path / "m.vtk"))
    write_mesh(tmp_path / "moved.vtk", mesh, mesh.world_points + 1)
    assert torch.equal(read_mesh(tmp_path / "moved.vtk").world_points, mesh.world_points + 1)
    assert (tmp_path / "moved.vtk").read_bytes().endswith(TAIL)


def test_slicer_s_ras_coordinates_are_turned_and_written_as_they_came(tmp_path):
    mesh = read_mesh(text_file(tmp_path / "m.vtk", title=b"3D Slicer output. SPACE=RAS"))
    np.testing.assert_allclose(mesh.world_points.numpy(), POINTS * [-1, -1, 1])
    write_mesh(tmp_path / "again.vtk", mesh, mesh.world_points)
    assert torch.equal(read_mesh(tmp_path / "again.vtk").world_points, mesh.world_points)
    assert b"SPACE=RAS" in (tmp_path / "again.vtk").read_bytes()


def test_itk_reads_what_is_written(tmp_path):
    itk = pytest.importorskip("itk")
    tail = b"POLYGONS 1 4\n3 0 1 2\n"
    text = text_file(tmp_path / "m.vtk", tail=tail).read_bytes()
    text = text.replace(b"UNSTRUCTURED_GRID\nFIELD FieldData 1\nname 1 1 int\n7 ", b"POLYDATA")
    (tmp_path / "m.vtk").write_bytes(text)
    mesh = read_mesh(tmp_path / "m.vtk")
    write_mesh(tmp_path / "moved.vtk", mesh, mesh.world_points * 2)
    got = itk.meshread(str(tmp_path / "moved.vtk"), itk.D)
    points = [list(got.GetPoint(k)) for k in range(3)]
    np.testing.assert_allclose(points, POINTS * 2, rtol=1e-6)


def test_normals_are_spoken_of(tmp_path):
    path = text_file(tmp_path / "m.vtk", tail=TAIL + b"NORMALS n float\n0 0 1 0 0 1 0 0 1\n")
    with pytest.warns(InputWarning, match="normals"):
        read_mesh(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a mesh"),
        (b"solid stl\n", "not a mesh"),
        (b'<?xml version="1.0"?>\n<VTKFile>\n', "not a mesh"),
        (HEAD % (b"t", b"ASCII") + b"CELLS 0 0\n", "not a mesh"),
        (HEAD % (b"t", b"ASCII") + b"POINTS 3 float\n1 2 3 4\n", "ends before its 3 points"),
        (HEAD % (b"t", b"BINARY") + b"POINTS 3 float\n1234", "ends before its 3 points"),
        (HEAD % (b"t", b"ASCII") + b"POINTS 1 float\n1 2 x\n", "POINTS"),
        (HEAD % (b"t", b"ASCII") + b"POINTS 1 float\n1 2 nan\n", "NaN"),
    ],
)
def test_other_files_are_refused(tmp_path, content, says):
    (tmp_path / "m.vtk").write_bytes(content)
    with pytest.raises(LandmarkError, match=says) as caught:
        read_mesh(tmp_path / "m.vtk")
    assert "m.vtk" in str(caught.value)


def test_a_missing_mesh_is_named(tmp_path):
    with pytest.raises(LandmarkError, match="no such mesh"):
        read_mesh(tmp_path / "absent.vtk")
