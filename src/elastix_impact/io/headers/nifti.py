"""NIfTI-1 and NIfTI-2 headers: .nii, .nii.gz, and .hdr with .img beside it (nifti.nimh.nih.gov).

niftilib replaces NaN and infinite voxels by 0, reads from byte 348 where the data's place makes no sense, and scales
by an intercept that the standard leaves out where the slope is 0.
"""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, final

import numpy as np

from elastix_impact.errors import ImageError

from .header import Encoding, Header, check_sizes, check_spacings, damaged
from .nifti_places import NiftiPlaces
from .streams import NonFinite, count_bytes, pass_over, unpacked, with_excess_told

NIFTI_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".hdr.gz", ".img", ".img.gz")
UNITS_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
"""Millimetres of a unit of length, by its number in ``xyzt_units``; others are taken as millimetres."""

_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 32: "c8", 64: "f8", 128: "3u1", 256: "i1", 512: "u2", 768: "u4",
    1024: "i8", 1280: "u8", 1792: "c16", 2304: "4u1",
}  # fmt: skip
"""numpy's types by NIfTI's numbers, those that ITK reads; RGB and RGBA have several numbers per voxel."""
_SMALLEST_SLOPE = 2.3e-16
"""ITK takes smaller ones as 1."""


@final
@dataclass(frozen=True)
class NiftiHeader:
    """The fields of a header that say how to read it.

    Attributes
    ----------
    order
        ``"<"`` or ``">"``.
    version
        1 or 2.
    dim
        Number of axes and their sizes, as in the file (8,).
    places
        Where it says that the voxels lie.
    """

    order: str
    version: int
    dim: tuple[int, ...]
    datatype: int
    bits: int
    vox_offset: float
    slope: float
    intercept: float
    magic: bytes
    places: NiftiPlaces

    @property
    def kind(self) -> np.dtype:
        """The voxels' type."""
        return np.dtype(_TYPES[self.datatype]).newbyteorder(self.order)  # type: ignore[arg-type]


def parse_nifti(head: bytes, path: Path) -> NiftiHeader:
    """The header in a file's first bytes; raises ImageError if they are none."""
    for order in "<>":
        size = struct.unpack_from(f"{order}i", head)[0] if len(head) >= 4 else 0
        if size == 348 and len(head) >= 348:
            return _first_version(partial(struct.unpack_from, buffer=head), order, head[344:348])
        if size == 540 and len(head) >= 540:
            return _second_version(partial(struct.unpack_from, buffer=head), order, head[4:8])
    raise damaged(path, f"its first {len(head)} bytes are no NIfTI header")


Unpack = Callable[..., tuple]


def _first_version(unpack: Unpack, order: str, magic: bytes) -> NiftiHeader:
    dim = unpack(f"{order}8h", offset=40)
    datatype, bits = unpack(f"{order}2h", offset=70)
    pixdim = unpack(f"{order}8f", offset=76)
    vox_offset, slope, intercept = unpack(f"{order}3f", offset=108)
    qform_code, sform_code = unpack(f"{order}2h", offset=252)
    places = NiftiPlaces(
        dim[1:4], pixdim, UNITS_MM.get(unpack("B", offset=123)[0] & 7, 1.0), qform_code, sform_code,
        unpack(f"{order}6f", offset=256), unpack(f"{order}12f", offset=280),
    )  # fmt: skip
    return NiftiHeader(order, 1, dim, datatype, bits, vox_offset, slope, intercept, magic, places)


def _second_version(unpack: Unpack, order: str, magic: bytes) -> NiftiHeader:
    datatype, bits = unpack(f"{order}2h", offset=12)
    dim = unpack(f"{order}8q", offset=16)
    pixdim = unpack(f"{order}8d", offset=104)
    (vox_offset,) = unpack(f"{order}q", offset=168)
    slope, intercept = unpack(f"{order}2d", offset=176)
    qform_code, sform_code = unpack(f"{order}2i", offset=344)
    places = NiftiPlaces(
        dim[1:4], pixdim, UNITS_MM.get(unpack(f"{order}i", offset=500)[0] & 7, 1.0), qform_code, sform_code,
        unpack(f"{order}6d", offset=352), unpack(f"{order}12d", offset=400),
    )  # fmt: skip
    return NiftiHeader(order, 2, dim, datatype, bits, float(vox_offset), slope, intercept, magic, places)


def without_codes(head: bytes, nifti: NiftiHeader) -> bytes:
    """A file's first bytes with qform_code and sform_code 0: its voxels are left without a place."""
    changed, (offset, kinds) = bytearray(head), {1: (252, "2h"), 2: (344, "2i")}[nifti.version]
    struct.pack_into(nifti.order + kinds, changed, offset, 0, 0)
    return bytes(changed)


def examine_nifti(path: Path) -> Header:
    """What a NIfTI file promises, and that its voxels are there; NaN and infinite ones are counted.

    Raises
    ------
    ImageError
        If the header makes no sense or voxels are missing.
    """
    nifti, header = _promise(path)
    (data_path,) = header.files
    look = NonFinite(nifti.kind) if nifti.kind.kind in "fc" else None
    if header.encoding == "raw" and look is None:
        return with_excess_told(header, path, max(0, data_path.stat().st_size - (header.skip or 0)))
    with unpacked(data_path, header.encoding) as stream:
        held = _count(stream, header, look)
    header = with_excess_told(header, path, held)
    return header if look is None else replace(header, non_finite=look.count)


def nifti_header(path: Path) -> Header:
    """What a NIfTI file promises; raises ImageError."""
    return _promise(path)[1]


def _promise(path: Path) -> tuple[NiftiHeader, Header]:
    """The header's fields, and what they promise; raises ImageError."""
    head_path, data_path = _pair(path)
    with unpacked(head_path, _encoding(head_path)) as stream:
        nifti = parse_nifti(stream.read(540), path)
    _check_fields(nifti, path)
    header = _header(nifti, data_path, single=head_path == data_path, path=path)
    if not data_path.is_file():
        raise damaged(path, f"its data file {data_path.name} is missing")
    return nifti, header


def _count(stream: IO[bytes], header: Header, look: NonFinite | None) -> int:
    return count_bytes(stream, header.promised_bytes, look) if pass_over(stream, header.skip or 0) else 0


def _pair(path: Path) -> tuple[Path, Path]:
    """The files of header and voxels."""
    name = path.name
    for a, b in ((".hdr", ".img"), (".img", ".hdr")):
        for packed in ("", ".gz"):
            if name.lower().endswith(a + packed):
                other = path.with_name(name[: -len(a + packed)] + b + name[len(name) - len(packed) :])
                return (path, other) if a == ".hdr" else (other, path)
    return path, path


def _encoding(path: Path) -> Encoding:
    return "gzip" if path.name.lower().endswith(".gz") else "raw"


def _check_fields(nifti: NiftiHeader, path: Path) -> None:
    axes = nifti.dim[0]
    if not 1 <= axes <= 7:
        raise damaged(path, f"its header says {axes} dimensions")
    check_sizes(nifti.dim[1 : axes + 1][:5], min(axes, 5), path)
    if nifti.datatype not in _TYPES:
        raise damaged(path, f"its header says data type {nifti.datatype}, which can't be read")
    bits = 8 * nifti.kind.itemsize
    if nifti.bits not in (0, bits):
        raise damaged(path, f"its header says {nifti.bits} bits for data type {nifti.datatype}, which has {bits}")
    if not (math.isnan(nifti.slope) or _is_scaling(nifti.slope, nifti.intercept)):
        raise ImageError(
            f"its header scales voxels by {nifti.slope:g} and adds {nifti.intercept:g}",
            where=str(path),
            expected="finite numbers, both 0 where nothing is scaled",
            remedy="Correct scl_slope and scl_inter in its header, or export the image again",
        )
    nifti.places.check(min(axes, 3), path)
    check_spacings([one * nifti.places.unit_mm for one in nifti.places.pixdim[1 : min(axes, 3) + 1]], path)


def _is_scaling(slope: float, intercept: float) -> bool:
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        return False
    return slope == intercept == 0 or abs(slope) > _SMALLEST_SLOPE


def _header(nifti: NiftiHeader, data_path: Path, *, single: bool, path: Path) -> Header:
    wanted = {1: b"n+1\0", 2: b"n+2\0"} if single else {1: b"ni1\0", 2: b"ni2\0"}
    analyze = not single and nifti.magic == b"\0\0\0\0"
    if nifti.magic != wanted[nifti.version] and not analyze:
        raise damaged(path, f"its header's magic word is {nifti.magic!r}, not {wanted[nifti.version]!r}")
    least = {1: 352, 2: 544}[nifti.version] if single else 0
    offset = nifti.vox_offset
    if not (math.isfinite(offset) and offset >= least and offset == int(offset)):
        raise damaged(path, f"its header says that the voxels begin at byte {offset:g} (at least {least})")
    kind = nifti.kind
    return Header(
        sizes=tuple(nifti.dim[1 : nifti.dim[0] + 1]),
        item_bytes=kind.itemsize,
        files=(data_path,),
        skip=int(offset),
        encoding=_encoding(data_path),
        untold=nifti.places.untold(),
        notes=nifti.places.notes(),
    )
