"""NRRD headers: .nrrd, and .nhdr with data files beside it (teem.sourceforge.net/nrrd/format.html)."""

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

MOST_HEADER_BYTES = 1 << 20
MOST_LINE_BYTES = 1000
"""Of a field; NrrdIO ends the process where it tells of a longer one."""

_TYPES = {
    1: "signed char, int8, int8_t, uchar, unsigned char, uint8, uint8_t",
    2: "short, short int, signed short, signed short int, int16, int16_t, ushort, unsigned short, "
    "unsigned short int, uint16, uint16_t",
    4: "int, signed int, int32, int32_t, uint, unsigned int, uint32, uint32_t, float",
    8: "longlong, long long, long long int, signed long long, signed long long int, int64, int64_t, ulonglong, "
    "unsigned long long, unsigned long long int, uint64, uint64_t, double",
}
_BYTES = {name: size for size, names in _TYPES.items() for name in names.split(", ")}
_ENCODINGS: dict[str, Encoding] = {
    "raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2",
    "txt": "text", "text": "text", "ascii": "text",
}  # fmt: skip
_NEEDED = ("type", "dimension", "sizes", "encoding")
_VECTOR = re.compile(r"none|\([^()]*\)", re.IGNORECASE)


def examine_nrrd(path: Path) -> Header:
    """What a NRRD file promises, and that its data are there; raises ImageError."""
    return check_voxels(nrrd_header(path), path)


def nrrd_header(path: Path) -> Header:
    """What a NRRD file promises; raises ImageError."""
    fields, files, end = _fields(path)
    dimension = whole_number(fields["dimension"], "dimension", path)
    sizes = whole_numbers(fields["sizes"], "sizes", path)
    check_sizes(sizes, dimension, path)
    kind, encoding = fields["type"].lower(), fields["encoding"].lower()
    if kind not in _BYTES:
        raise damaged(path, f"its header's type is {kind[:40]!r}, which is no type of numbers")
    if encoding not in _ENCODINGS:
        raise damaged(path, f"its header's encoding is {encoding[:40]!r}, which can't be read")
    _check_endian(fields, _BYTES[kind], _ENCODINGS[encoding], path)
    skip = whole_number(fields.get("byte skip", fields.get("byteskip", "0")), "byte skip", path)
    packed = _ENCODINGS[encoding] != "raw"
    start = (end if files == (path,) else 0) + _skipped_lines(fields, files, end, path)
    return Header(
        sizes=sizes,
        item_bytes=_BYTES[kind],
        files=files,
        skip=None if skip < 0 else skip if packed else start + skip,
        packed_skip=start if packed else 0,
        encoding=_ENCODINGS[encoding],
        untold=_untold(fields, sizes, path),
    )


def nrrd_files(path: Path) -> tuple[Path, ...]:
    """Where a NRRD file's voxels lie, whether the files are there or not; raises ImageError."""
    return _fields(path)[1]


def _fields(path: Path) -> tuple[dict[str, str], tuple[Path, ...], int]:
    """The header's fields, the files of its data, and where it ends in bytes."""
    with path.open("rb") as file:
        content = file.read(MOST_HEADER_BYTES)
    if not re.match(rb"NRRD000[1-9]", content):
        raise damaged(path, "it does not begin as a NRRD file")
    found = re.search(rb"\r?\n\r?\n", content)
    end = found.end() if found else len(content)
    text = content[: found.start() if found else end].decode("utf-8", errors="replace")
    fields: dict[str, str] = {}
    for number, line in enumerate(lines := text.splitlines()):
        name, colon, value = line.partition(":")
        if line.startswith("#") or value.startswith("="):
            continue
        if len(line) > MOST_LINE_BYTES:
            raise damaged(path, f"line {number + 1} of its header is {len(line)} letters long")
        if number == 0 or not colon:
            continue
        name, value = name.strip().lower(), value.strip()
        if name in fields:
            raise damaged(path, f"its header says {name} twice")
        fields[name] = value
        if name in ("data file", "datafile") and value.split()[:1] == ["LIST"]:
            names = [entry.strip() for entry in lines[number + 1 :] if entry.strip()]
            return _complete(fields, path), tuple(path.parent / entry for entry in names), end
    named = fields.get("data file", fields.get("datafile"))
    if named is None and found is None:
        raise damaged(path, "its header breaks off: no empty line ends it")
    return _complete(fields, path), (path,) if named is None else _data_files(named, path), end


def _complete(fields: dict[str, str], path: Path) -> dict[str, str]:
    lacking = [name for name in _NEEDED if not fields.get(name)]
    if lacking:
        raise damaged(path, f"its header lacks {', '.join(lacking)}")
    return fields


def _data_files(named: str, path: Path) -> tuple[Path, ...]:
    """One file, or a pattern with its first and last number and its step."""
    words = named.split()
    if "%" not in words[0] or len(words) < 4:
        return (path.parent / named,)
    first, last, step = whole_numbers(" ".join(words[1:4]), "data file", path)
    numbers = range(first, last + (1 if step > 0 else -1), step or 1)
    return tuple(path.parent / name for name in numbered_names(words[0], numbers, "data file", path))


def _check_endian(fields: dict[str, str], item_bytes: int, encoding: Encoding, path: Path) -> None:
    if item_bytes > 1 and encoding != "text" and fields.get("endian", "").lower() not in ("little", "big"):
        raise damaged(path, f"its header's endian is {fields.get('endian', '')[:40]!r}, neither little nor big")


def _skipped_lines(fields: dict[str, str], files: tuple[Path, ...], end: int, path: Path) -> int:
    """Bytes of the lines before the data."""
    lines = whole_number(fields.get("line skip", fields.get("lineskip", "0")), "line skip", path)
    if lines <= 0 or not files[0].is_file():
        return 0
    with files[0].open("rb") as file:
        file.seek(end if files == (path,) else 0)
        return sum(len(file.readline(MOST_HEADER_BYTES)) for _ in range(min(lines, 1000)))


def _untold(fields: dict[str, str], sizes: tuple[int, ...], path: Path) -> tuple[str, ...]:
    """What the header does not say of the place; refuse what is no number."""
    directions = fields.get("space directions")
    if directions is not None:
        vectors = [one for one in _VECTOR.findall(directions) if one.lower() != "none"]
        rows = [finite_numbers(one.strip("()").split(","), "space directions", path) for one in vectors]
        check_spacings([sum(c * c for c in row) ** 0.5 for row in rows], path)
        if len(_VECTOR.findall(directions)) != len(sizes) or len({len(row) for row in rows}) != 1:
            raise damaged(path, f"its header's space directions are {directions[:80]!r} for {len(sizes)} axes")
        finite_numbers(fields.get("space origin", "(0)").strip("()").split(","), "space origin", path)
        return () if "space origin" in fields else ("no origin",)
    spacings = [word for word in fields.get("spacings", "").split() if word.lower() != "nan"]
    check_spacings(finite_numbers(spacings, "spacings", path), path)
    return ("no origin and no direction",) if spacings else ("no spacing",)
