"""Image files whose headers or streams were damaged, by a seed: the same seed, the same files.

No byte of a voxel is zero in a sound file, so that a voxel of 0 in what was read is one that was filled in.
"""

import gzip
import re
import struct
import zlib
from pathlib import Path

import numpy as np

SUFFIXES = (".mha", ".mhd", ".nii", ".nii.gz", ".nrrd")

_WORDS = """
    0 -1 1 2 3 5 4 7 99 1000 65536 0.5 2.0 1e2 2147483648 99999999999999999999 -0.0 1e-300 1e300 nan inf -inf x %d
    %s%s%s%n LIST LOCAL True False little big raw gzip MET_CHAR MET_DOUBLE MET_STRING double block none /dev/zero / ..
"""
_HOSTILE = (*_WORDS.split(), "", "6 5 4", "(0,0,1)", "(nan,0,0)", "a" * 5000, "1 " * 2000)
_FIELDS = (
    (0, "i"),
    *((place, "h") for place in (40, 42, 44, 46, 48, 50, 70, 72, 252, 254)),
    *((place, "f") for place in (76, 80, 84, 88, 108, 112, 116, 256, 268, 280, 296, 312)),
    (123, "B"),
    (344, "4s"),
)
"""Place and form of NIfTI-1's fields that say how to read it."""
_NUMBERS = {
    "h": (0, -1, 1, 2, 3, 5, 6, 8, 32767, -32768, 999), "i": (0, -1, 347, 540, 1 << 30), "B": (0, 1, 3, 7, 255),
    "f": (0.0, -1.0, 1e-300, 1e30, float("nan"), float("inf"), 100.0, 348.0, 353.5, 1e9, 3.4e38),
    "4s": (b"ni1\0", b"n+2\0", b"\0\0\0\0", b"abcd"),
}  # fmt: skip


def write_damaged(folder: Path, seed: int) -> Path:
    """Write a damaged image into an empty folder; its format goes with the seed."""
    random = np.random.default_rng(seed)
    suffix = SUFFIXES[seed % len(SUFFIXES)]
    kind = random.choice(["<i2", "<f4", "u1"])
    size = tuple(int(n) for n in random.integers(3, 9, size=2 + int(random.random() < 0.8)))
    voxels = random.integers(2, 64, int(np.prod(size)) * np.dtype(kind).itemsize, dtype=np.uint8).tobytes()
    path = folder / f"image{suffix}"
    make = _nifti if suffix.startswith(".nii") else _nrrd if suffix == ".nrrd" else _metaimage
    content = make(path, size, str(kind), voxels, random)
    path.write_bytes(_cut(content, random) if random.random() < 0.1 else content)
    return path


def _cut(content: bytes, random: np.random.Generator) -> bytes:
    return content[: int(random.integers(0, len(content)))]


def _nifti(path: Path, size: tuple[int, ...], kind: str, voxels: bytes, random: np.random.Generator) -> bytes:
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, len(size), *size, *(1,) * (7 - len(size)))
    struct.pack_into("<2h", head, 70, {"u1": 2, "<i2": 4, "<f4": 16}[kind], 8 * np.dtype(kind).itemsize)
    struct.pack_into("<8f", head, 76, 1, 2, 2, 3, 1, 1, 1, 1)
    struct.pack_into("<3f", head, 108, 352, 1, 0)
    head[123] = 2
    struct.pack_into("<2h", head, 252, 1, 1)
    struct.pack_into("<12f", head, 280, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0)
    head[344:348] = b"n+1\0"
    for _ in range(int(random.integers(1, 3))):
        _spoil_field(head, random)
    if random.random() < 0.1:
        voxels = _cut(voxels, random)
    content = bytes(head) + voxels
    return gzip.compress(content, mtime=0) if path.name.endswith(".gz") else content


def _spoil_field(head: bytearray, random: np.random.Generator) -> None:
    if random.random() < 0.3:
        head[int(random.integers(0, 348))] = int(random.integers(0, 256))
        return
    place, form = _FIELDS[int(random.integers(0, len(_FIELDS)))]
    numbers = _NUMBERS[form]
    struct.pack_into(f"<{form}", head, place, numbers[int(random.integers(0, len(numbers)))])


def _metaimage(path: Path, size: tuple[int, ...], kind: str, voxels: bytes, random: np.random.Generator) -> bytes:
    packed = random.random() < 0.3
    ones = " ".join(str(int(k % (len(size) + 1) == 0)) for k in range(len(size) ** 2))
    name = {"u1": "MET_UCHAR", "<i2": "MET_SHORT", "<f4": "MET_FLOAT"}[kind]
    stream = zlib.compress(voxels) if packed else voxels
    lines = [
        "ObjectType = Image", f"NDims = {len(size)}", "BinaryData = True", "BinaryDataByteOrderMSB = False",
        f"CompressedData = {packed}", *([f"CompressedDataSize = {len(stream)}"] if packed else []),
        f"TransformMatrix = {ones}", f"Offset = {' '.join(['1'] * len(size))}",
        f"ElementSpacing = {' '.join(['2'] * len(size))}", f"DimSize = {' '.join(map(str, size))}",
        f"ElementType = {name}", f"ElementDataFile = {'LOCAL' if path.suffix == '.mha' else 'image.raw'}",
    ]  # fmt: skip
    head = _spoiled_text(lines, " = ", random)
    if random.random() < 0.1:
        stream = _cut(stream, random)
    if path.suffix == ".mhd":
        path.with_suffix(".raw").write_bytes(stream)
        return head
    return head + stream


def _nrrd(path: Path, size: tuple[int, ...], kind: str, voxels: bytes, random: np.random.Generator) -> bytes:
    del path
    packed = random.random() < 0.3
    axes = " ".join(
        "(" + ",".join("2" if k == axis else "0" for k in range(len(size))) + ")" for axis in range(len(size))
    )
    lines = [
        "NRRD0004", f"type: {({'u1': 'uint8', '<i2': 'int16', '<f4': 'float'})[kind]}", f"dimension: {len(size)}",
        *(["space: left-posterior-superior"] if len(size) == 3 else ["space dimension: 2"]),
        f"sizes: {' '.join(map(str, size))}", f"space directions: {axes}", "endian: little",
        f"encoding: {'gzip' if packed else 'raw'}", f"space origin: ({','.join(['0'] * len(size))})",
    ]  # fmt: skip
    stream = gzip.compress(voxels, mtime=0) if packed else voxels
    if random.random() < 0.1:
        stream = _cut(stream, random)
    return _spoiled_text(lines, ": ", random) + b"\n" + stream


def _spoiled_text(lines: list[str], between: str, random: np.random.Generator) -> bytes:
    """The lines of a header, a few of them spoiled."""
    for _ in range(int(random.integers(1, 3))):
        k = int(random.integers(0, len(lines)))
        how, word = random.random(), _HOSTILE[int(random.integers(0, len(_HOSTILE)))]
        name, _, value = lines[k].partition(between)
        if how < 0.4:
            lines[k] = f"{name}{between}{word}"
        elif how < 0.6:
            lines[k] = f"{name}{between}{re.sub(r'[^ (),]+', lambda _, w=word: w, value, count=1)}"
        elif how < 0.7:
            lines[k] = f"{name}{between}{value} {word}"
        elif how < 0.8:
            lines.insert(int(random.integers(0, len(lines))), lines.pop(k))
        elif how < 0.9 and len(lines) > 2:
            del lines[k]
        else:
            lines.insert(k, f"{name}{between}{word}")
    head = bytearray(("\n".join(lines) + "\n").encode())
    if random.random() < 0.2:
        head[int(random.integers(0, len(head)))] = int(random.integers(0, 256))
    return bytes(head)
