"""Meshes in VTK's legacy files (.vtk): the points are read and written, all else stays as it is, byte for byte."""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch

from elastix_impact.errors import LandmarkError
from elastix_impact.geometry.grid import Row
from elastix_impact.typing import Points

from .atomic import written_whole
from .warning import InputWarning

_POINTS = re.compile(rb"^[ \t]*POINTS[ \t]+(\d+)[ \t]+(\w+)[ \t]*\r?\n", re.MULTILINE | re.IGNORECASE)
_SPACE = re.compile(rb"SPACE=(RAS|LPS)")
_NORMALS = re.compile(rb"^[ \t]*NORMALS[ \t]", re.MULTILINE)
_TYPES = {"float": np.dtype(">f4"), "double": np.dtype(">f8"), "int": np.dtype(">i4"), "short": np.dtype(">i2")}
_AXES = 3
_EXPECTED = "a legacy VTK file (.vtk) with POINTS: poly data, or an unstructured or structured grid"


@final
@dataclass(frozen=True, eq=False)
class Mesh:
    """The points of a mesh, and the file around them.

    Attributes
    ----------
    world_points
        (N, 3) in mm, ITK's LPS frame, float64. Meshes of two dimensions have a third coordinate too.
    head, tail
        What the file says before and after the POINTS section.
    binary
        Whether its numbers are bytes.
    precision
        ``"float"`` or ``"double"``.
    sign
        What the file's coordinates are multiplied by to become LPS.
    """

    world_points: Points
    head: bytes
    tail: bytes
    binary: bool
    precision: str
    sign: Row


def read_mesh(path: Path) -> Mesh:
    """The mesh in a legacy VTK file; coordinates are LPS unless its title says ``SPACE=RAS``, as 3D Slicer's do.

    Raises
    ------
    LandmarkError
        If it is missing, of another form, not whole, or holds coordinates that are no finite numbers.

    Warns
    -----
    InputWarning
        If it holds normals, which are not turned with the points.
    """
    path = Path(path)
    content = _content(path)
    section = _POINTS.search(content)
    lines = content[:4096].split(b"\n", 3)
    kind = section[2].decode().lower() if section else ""
    form = lines[2].strip().upper() if len(lines) == 4 else b""
    if not content.startswith(b"# vtk DataFile") or form not in (b"ASCII", b"BINARY") or kind not in _TYPES:
        raise LandmarkError("not a mesh that can be read", where=str(path), expected=_EXPECTED)
    assert section is not None
    read = _binary_numbers if form == b"BINARY" else _text_numbers
    numbers, end = read(content, section.end(), _AXES * int(section[1]), kind, path)
    if not np.isfinite(numbers).all():
        raise LandmarkError("a coordinate is NaN or infinite", where=str(path), remedy="Correct or remove the point")
    tail = content[end:]
    if _NORMALS.search(tail):
        warnings.warn(f"{path}: its normals stay as they are; compute them anew", InputWarning, stacklevel=2)
    space = _SPACE.search(lines[1])
    sign = (-1.0, -1.0, 1.0) if space and space[1] == b"RAS" else (1.0, 1.0, 1.0)
    points = torch.from_numpy(numbers.reshape(-1, _AXES)) * torch.tensor(sign, dtype=torch.float64)
    precision = "float" if kind == "float" else "double"
    return Mesh(points, content[: section.start()], tail, form == b"BINARY", precision, sign)


def write_mesh(path: Path, mesh: Mesh, world_points: Points) -> None:
    """Write `mesh` with other points (N, 3) in mm, whole or not at all; raises OutputError."""
    path = Path(path)
    coordinates = (world_points.double() * torch.tensor(mesh.sign, dtype=torch.float64)).numpy()
    header = f"POINTS {len(coordinates)} {mesh.precision}\n".encode()
    if mesh.binary:
        numbers = coordinates.astype(_TYPES[mesh.precision]).tobytes()
    else:
        digits = ".9g" if mesh.precision == "float" else ".17g"
        numbers = "\n".join(" ".join(format(c, digits) for c in row) for row in coordinates.tolist()).encode()
    gap = b"" if mesh.tail[:1] in (b"\n", b"\r", b"") else b"\n"
    with written_whole(path) as temporary:
        temporary.write_bytes(mesh.head + header + numbers + gap + mesh.tail)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise LandmarkError("no such mesh", where=str(path), remedy="Check the path") from error
    except OSError as error:
        raise LandmarkError(f"the mesh can't be read: {error.strerror}", where=str(path)) from error


def _binary_numbers(content: bytes, begin: int, count: int, kind: str, path: Path) -> tuple[np.ndarray, int]:
    """`count` big-endian numbers from `begin`, float64, and where they end."""
    end = begin + count * _TYPES[kind].itemsize
    if end > len(content):
        raise _short(path, count)
    return np.frombuffer(content[begin:end], dtype=_TYPES[kind]).astype(np.float64), end


def _text_numbers(content: bytes, begin: int, count: int, kind: str, path: Path) -> tuple[np.ndarray, int]:
    """`count` written numbers from `begin`, float64, and where they end."""
    del kind
    words = content[begin:].split(maxsplit=count)
    if len(words) < count:
        raise _short(path, count)
    end = len(content) - len(words[count]) if len(words) > count else len(content)
    try:
        return np.array([float(word) for word in words[:count]], dtype=np.float64), end
    except ValueError as error:
        raise LandmarkError(f"POINTS: {error}", where=str(path), expected=f"{count} numbers") from error


def _short(path: Path, count: int) -> LandmarkError:
    return LandmarkError(
        f"the file ends before its {count // _AXES} points do", where=str(path), remedy="Copy it again"
    )
