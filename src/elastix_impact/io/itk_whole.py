"""Whether an ITK transform file holds all its numbers, which ITK itself does not look at.

Of what is missing it takes the identity, or whatever lies in memory, or it ends the process.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from elastix_impact.errors import TransformFileError

from .plain_number import plain_number

_PARAMETERS, _FIXED = "Parameters", "FixedParameters"
_WITHOUT_NUMBERS = "CompositeTransform"
PARAMETER_COUNTS = {
    "AffineTransform": (6, 12),
    "CenteredAffineTransform": (8, 15),
    "CenteredEuler3DTransform": (9, 9),
    "CenteredRigid2DTransform": (5, 5),
    "CenteredSimilarity2DTransform": (6, 6),
    "ComposeScaleSkewVersor3DTransform": (12, 12),
    "Euler2DTransform": (3, 3),
    "Euler3DTransform": (6, 6),
    "FixedCenterOfRotationAffineTransform": (8, 15),
    "IdentityTransform": (0, 0),
    "MatrixOffsetTransformBase": (6, 12),
    "QuaternionRigidTransform": (7, 7),
    "Rigid2DTransform": (3, 3),
    "Rigid3DTransform": (12, 12),
    "ScalableAffineTransform": (6, 12),
    "ScaleLogarithmicTransform": (2, 3),
    "ScaleSkewVersor3DTransform": (15, 15),
    "ScaleTransform": (2, 3),
    "ScaleVersor3DTransform": (9, 9),
    "Similarity2DTransform": (4, 4),
    "Similarity3DTransform": (7, 7),
    "TranslationTransform": (2, 3),
    "VersorRigid3DTransform": (6, 6),
    "VersorTransform": (3, 3),
}
"""Number of parameters in 2-D and 3-D; ITK looks at those of B-splines and displacement fields itself."""
_WITH_FLAG = ("Euler3DTransform", "CenteredEuler3DTransform")
"""Kinds that have a number (in which order the axes are turned about) behind their centre."""
_MATLAB_HEAD = struct.Struct("<5i")
_MATLAB_ITEM_BYTES = {0: 8, 10: 4, 100: 8, 110: 4}
"""Size of a number by the format's first word: little-endian doubles and floats, by columns or by rows."""


@final
@dataclass(frozen=True)
class _Entry:
    """One transform of a file: where it starts, its kind, and how many numbers each of its lists has."""

    where: str
    kind: str
    counts: dict[str, int] = field(default_factory=dict)


def check_whole(path: Path) -> None:
    """Refuse an ITK transform file in text (.tfm, .txt) or Matlab's form (.mat) that lacks numbers.

    Raises
    ------
    TransformFileError
        If a list of numbers is missing, has the wrong length, or holds something else. Whatever else is wrong is
        left to ITK, which says so, as it does for HDF5.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in (".tfm", ".txt"):
            entries = list(_text_entries(path))
        elif suffix == ".mat":
            entries = list(_matlab_entries(path))
        else:
            return
    except OSError as error:
        raise TransformFileError(
            f"can't be read: {error.strerror}", where=str(path), remedy="Check its permissions"
        ) from error
    for entry in entries:
        _check_counts(entry)


def _text_entries(path: Path) -> Iterator[_Entry]:
    entry = None
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        key, _, value = (part.strip() for part in line.partition(":"))
        if key == "Transform":
            if entry is not None:
                yield entry
            entry = _Entry(f"{path}:{number}", value)
        elif entry is not None and key in (_PARAMETERS, _FIXED):
            if key in entry.counts:
                raise _fault(f"{key}: given twice for one transform", f"{path}:{number}")
            entry.counts[key] = _count_numbers(value.split(), key, f"{path}:{number}")
    if entry is not None:
        yield entry


def _count_numbers(words: list[str], key: str, where: str) -> int:
    try:
        finite = all(math.isfinite(plain_number(word)) for word in words)
    except ValueError as error:
        raise _fault(f"{key}: holds something that is no number", where) from error
    if not finite:
        raise _fault(f"{key}: holds a value that is NaN or infinite", where)
    return len(words)


def _matlab_entries(path: Path) -> Iterator[_Entry]:
    """Every transform is two matrices: its kind names the first, its fixed parameters are the second."""
    data, begin, entry = path.read_bytes(), 0, None
    while begin + _MATLAB_HEAD.size <= len(data):
        form, rows, columns, _, name_length = _MATLAB_HEAD.unpack_from(data, begin)
        if form not in _MATLAB_ITEM_BYTES or min(rows, columns, name_length) < 0:
            return
        numbers = begin + _MATLAB_HEAD.size + name_length
        name = data[numbers - name_length : numbers].rstrip(b"\0").decode("ascii", errors="replace")
        begin = numbers + rows * columns * _MATLAB_ITEM_BYTES[form]
        if begin > len(data):
            raise _fault(f"the file is not whole: it has {len(data)} bytes of {begin}", str(path))
        if entry is None:
            entry = _Entry(str(path), name, {_PARAMETERS: rows * columns})
        else:
            entry.counts[_FIXED] = rows * columns
            yield entry
            entry = None
    if entry is not None:
        yield entry


def _check_counts(entry: _Entry) -> None:
    kind, *rest = entry.kind.split("_")
    if kind == _WITHOUT_NUMBERS:
        return
    for key in (_PARAMETERS, _FIXED):
        if key not in entry.counts:
            raise _fault(f"{key}: is missing for {kind}", entry.where)
    if kind not in PARAMETER_COUNTS or rest[1:] not in (["2", "2"], ["3", "3"]):
        return
    most = int(rest[1]) + (kind in _WITH_FLAG)
    if entry.counts[_FIXED] > most:
        raise _fault(f"{_FIXED}: has {entry.counts[_FIXED]} values", entry.where, f"at most {most} for {kind}")
    expected = PARAMETER_COUNTS[kind][rest[1] == "3"]
    if entry.counts[_PARAMETERS] != expected:
        raise _fault(f"{_PARAMETERS}: has {entry.counts[_PARAMETERS]} values", entry.where, f"{expected} for {kind}")


def _fault(what: str, where: str, expected: str | None = None) -> TransformFileError:
    return TransformFileError(what, where=where, expected=expected, remedy="Write or copy the transform file again")
