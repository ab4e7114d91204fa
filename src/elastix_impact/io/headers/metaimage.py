"""MetaImage headers: .mha, and .mhd with data files beside it.

MetaIO ends the process, or reads whatever lies in memory, where a header names fewer numbers than it announces.
"""

import math
import re
from pathlib import Path

from .header import (
    Encoding,
    Header,
    check_sizes,
    check_spacings,
    damaged,
    finite_numbers,
    numbered_names,
    whole_number,
    whole_numbers,
)
from .streams import check_voxels

MOST_HEADER_BYTES = 1 << 16
MOST_LINE_BYTES = 1 << 13
"""MetaIO keeps a value in an array of fixed length."""

_TYPES = {
    "CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "LONG": 4, "ULONG": 4,
    "LONG_LONG": 8, "ULONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8,
}  # fmt: skip
"""Bytes by type, without ``MET_`` and without ``_ARRAY``; MetaIO's LONG has four bytes everywhere."""
_LINE = re.compile(rb"\s*([^\s=:][^\r\n=:]*?)[ \t]*[=:][ \t]*([^\r\n]*)\r?\n?")
_ORIGINS = ("Offset", "Position", "Origin")
_MATRICES = ("TransformMatrix", "Rotation", "Orientation")


def examine_metaimage(path: Path) -> Header:
    """What a MetaImage promises, and that its data are there; raises ImageError."""
    return check_voxels(metaimage_header(path), path)


def metaimage_header(path: Path) -> Header:
    """What a MetaImage promises; raises ImageError."""
    keys, end = _keys(path)
    if keys.get("ObjectType", "Image") != "Image":
        raise damaged(path, f"its header says that it is a {keys['ObjectType'][:40]}, not an Image")
    dimension = whole_number(keys.get("NDims", ""), "NDims", path)
    sizes = whole_numbers(keys.get("DimSize", ""), "DimSize", path)
    check_sizes(sizes, dimension, path)
    untold = _check_places(keys, dimension, path)
    channels = whole_number(keys.get("ElementNumberOfChannels", "1"), "ElementNumberOfChannels", path)
    check_sizes((channels,), 1, path)
    files = _data_files(keys["ElementDataFile"], sizes, path)
    encoding = _encoding(keys, path)
    local = files == (path,)
    skip = whole_number(keys.get("HeaderSize", "0"), "HeaderSize", path)
    if local and skip >= 0:
        skip += end
    packed_skip = skip if encoding != "raw" else 0
    return Header(
        sizes=(channels, *sizes),
        item_bytes=_item_bytes(keys.get("ElementType", ""), path),
        files=files,
        skip=None if skip < 0 else 0 if packed_skip else skip,
        packed_skip=max(packed_skip, 0),
        packed_bytes=_packed_bytes(keys, path) if encoding == "zlib" else None,
        encoding=encoding,
        untold=untold,
    )


def metaimage_files(path: Path) -> tuple[Path, ...]:
    """Where a MetaImage's voxels lie, whether the files are there or not; raises ImageError."""
    keys, _ = _keys(path)
    sizes = whole_numbers(keys.get("DimSize", ""), "DimSize", path)
    return _data_files(keys["ElementDataFile"], sizes, path)


def _keys(path: Path) -> tuple[dict[str, str], int]:
    """The header's lines by their names, and where it ends; ``ElementDataFile`` is the last."""
    with path.open("rb") as file:
        content = file.read(MOST_HEADER_BYTES)
    keys, place = {}, 0
    while (line := _LINE.match(content, place)) is not None:
        name, value = (part.decode("utf-8", errors="replace").strip() for part in line.groups())
        if len(value) > MOST_LINE_BYTES:
            raise damaged(path, f"its header's {name} is {len(value)} letters long")
        if name in keys:
            raise damaged(path, f"its header says {name} twice")
        keys[name], place = value, line.end()
        if name == "ElementDataFile" and value.split()[:1] == ["LIST"]:
            rest = content[place:].decode("utf-8", errors="replace")
            return keys | {name: value + "\n" + rest}, place
        if name == "ElementDataFile":
            return keys, place
    raise damaged(path, f"its header breaks off at byte {place}: it names no ElementDataFile")


def _check_places(keys: dict[str, str], dimension: int, path: Path) -> tuple[str, ...]:
    """Refuse spacing, origin and direction that are no numbers, or too few; what is untold."""
    wanted = {**dict.fromkeys(_ORIGINS, dimension), **dict.fromkeys(_MATRICES, dimension**2)}
    wanted |= {"ElementSpacing": dimension, "ElementSize": dimension, "CenterOfRotation": dimension}
    for name, count in wanted.items():
        if name in keys and len(finite_numbers(keys[name].split(), name, path)) != count:
            raise damaged(path, f"its header's {name} has {len(keys[name].split())} numbers of {count}")
    spacing = keys.get("ElementSpacing", keys.get("ElementSize"))
    if spacing is not None:
        check_spacings(finite_numbers(spacing.split(), "ElementSpacing", path), path)
    matrix = next((finite_numbers(keys[name].split(), name, path) for name in _MATRICES if name in keys), None)
    if matrix is not None and not all(
        math.isclose(math.hypot(*matrix[row * dimension : (row + 1) * dimension]), 1, abs_tol=0.01)
        for row in range(dimension)
    ):
        raise damaged(path, "its header's TransformMatrix holds axes that are not of length 1")
    return () if spacing is not None else ("no spacing",)


def _item_bytes(kind: str, path: Path) -> int:
    name = kind.removeprefix("MET_").removesuffix("_ARRAY")
    if name not in _TYPES:
        raise damaged(path, f"its header's ElementType is {kind[:40]!r}, which is no type of numbers")
    return _TYPES[name]


def _encoding(keys: dict[str, str], path: Path) -> Encoding:
    if _is_true(keys, "CompressedData", path, usual="False"):
        return "zlib"
    _is_true(keys, "BinaryDataByteOrderMSB", path, usual="False")
    _is_true(keys, "ElementByteOrderMSB", path, usual="False")
    return "raw" if _is_true(keys, "BinaryData", path, usual="True") else "text"


def _is_true(keys: dict[str, str], name: str, path: Path, *, usual: str) -> bool:
    """A yes or no, of which MetaIO reads the first letter."""
    word = keys.get(name, usual)
    if word[:1].lower() not in ("t", "f", "1", "0"):
        raise damaged(path, f"its header's {name} is {word[:40]!r}, neither True nor False")
    return word[:1].lower() in ("t", "1")


def _packed_bytes(keys: dict[str, str], path: Path) -> int | None:
    """What the header says of the packed stream; MetaIO needs it where the voxels follow the header."""
    local = keys["ElementDataFile"].upper() == "LOCAL"
    size = whole_number(keys.get("CompressedDataSize", "0"), "CompressedDataSize", path)
    return size if local or size else None


def _data_files(named: str, sizes: tuple[int, ...], path: Path) -> tuple[Path, ...]:
    """The files of the voxels: LOCAL, one beside the header, a LIST of them, or a pattern with its numbers."""
    first = named.split()[:1]
    if first in (["LOCAL"], ["Local"], ["local"]):
        return (path,)
    if first == ["LIST"]:
        names = [line.strip() for line in named.splitlines()[1:] if line.strip()]
    elif "%" in named:
        names = _numbered(named, sizes[-1:] or (1,), path)
    else:
        names = [named]
    if not names or not all(names):
        raise damaged(path, "its header names no data file")
    return tuple(path.parent / name for name in names)


def _numbered(named: str, slices: tuple[int, ...], path: Path) -> tuple[str, ...]:
    """``slice%03d.raw first last step`` as names."""
    pattern, *words = named.split()
    numbers = whole_numbers(" ".join(words), "ElementDataFile", path)
    first, last, step = (*numbers, *(1, *slices, 1)[len(numbers) :])[:3]
    return numbered_names(pattern, range(first, last + 1, max(step, 1)), "ElementDataFile", path)
