"""The bytes that image files hold, unpacked a block at a time: nothing is taken into memory as a whole."""

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, cast, final

import numpy as np

from .header import Encoding, Header, damaged

BLOCK_BYTES = 1 << 22
MOST_BEYOND = 1 << 24
"""Bytes after the promised ones that are read to find the stream's own end and its checksum."""

Look = Callable[[bytes], None]


@contextmanager
def unpacked(path: Path, encoding: Encoding, packed_skip: int = 0) -> Iterator[IO[bytes]]:
    """A file's content as it is before packing; what is wrong with the packing is an ImageError."""
    with path.open("rb") as file:
        file.seek(packed_skip)
        try:
            match encoding:
                case "gzip":
                    yield cast(IO[bytes], gzip.GzipFile(fileobj=file))
                case "bzip2":
                    yield bz2.BZ2File(file)
                case "zlib":
                    yield cast(IO[bytes], _ZlibFile(file))
                case "raw" | "text":
                    yield file
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise damaged(path, str(error).rstrip(".")) from error
        except OSError as error:
            if error.errno is None:  # bz2's own
                raise damaged(path, str(error).rstrip(".")) from error
            raise


@final
class _ZlibFile:
    """A zlib (or gzip) stream as a file, as MetaImage packs its voxels."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._packer, self._taken = file, zlib.decompressobj(wbits=47), 0

    @property
    def packed_bytes(self) -> int:
        """Bytes of the stream, once it has ended."""
        return self._taken - len(self._packer.unused_data)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, none at the end; raises EOFError where the stream stops short."""
        while not self._packer.eof:
            packed = self._packer.unconsumed_tail
            if not packed:
                packed = self._file.read(BLOCK_BYTES)
                self._taken += len(packed)
            found = self._packer.decompress(packed, size)
            if found:
                return found
            if not packed:
                raise EOFError("Compressed file ended before the end-of-stream marker was reached")
        return b""


def count_bytes(file: IO[bytes], promised: int, look: Look | None = None) -> int:
    """How many bytes still come, counted to a little beyond the promised ones; `look` sees those."""
    count = 0
    while count <= promised + MOST_BEYOND and (block := file.read(BLOCK_BYTES)):
        if look is not None and count < promised:
            look(block[: promised - count])
        count += len(block)
    return count


def count_numbers(file: IO[bytes]) -> int:
    """How many words of text still come."""
    count, rest = 0, b""
    while block := file.read(BLOCK_BYTES):
        rest += block
        end = max(rest.rfind(blank) for blank in (b" ", b"\n", b"\t")) + 1
        count += len(rest[:end].split())
        rest = rest[end:]
    return count + len(rest.split())


@final
class NonFinite:
    """Counts the numbers of a stream that are NaN or infinite."""

    def __init__(self, kind: np.dtype) -> None:
        self.count, self._kind, self._rest = 0, kind, b""

    def __call__(self, block: bytes) -> None:
        """Look at the next bytes."""
        block = self._rest + block
        whole = len(block) // self._kind.itemsize * self._kind.itemsize
        self.count += int((~np.isfinite(np.frombuffer(block[:whole], self._kind))).sum())
        self._rest = block[whole:]


def check_voxels(header: Header, path: Path) -> Header:
    """The header, if its files hold what it promises; with a note if they hold clearly more.

    Raises
    ------
    ImageError
        If a file that it names is missing, or numbers are.
    """
    for file in header.files:
        if not file.is_file():
            raise damaged(path, f"its data file {file.name} is missing")
    each = header.promised_bytes // len(header.files)
    held = [_held(header, file, each) for file in header.files]
    return with_excess_told(header, path, sum(held))


def _held(header: Header, file: Path, promised: int) -> int:
    """Bytes of numbers in a file."""
    if header.encoding == "raw":
        size = file.stat().st_size
        return min(size, promised) if header.skip is None else max(0, size - header.skip)
    with unpacked(file, header.encoding, header.packed_skip) as stream:
        if header.encoding == "text":
            return count_numbers(stream) * header.item_bytes
        held = count_bytes(stream, promised) if pass_over(stream, header.skip or 0) else 0
        if isinstance(stream, _ZlibFile) and header.packed_bytes not in (None, stream.packed_bytes):
            raise damaged(file, f"its header says {header.packed_bytes} packed bytes of {stream.packed_bytes}")
        return held


def pass_over(stream: IO[bytes], skip: int) -> bool:
    """Pass over the first bytes; whether they were there."""
    while skip > 0 and (block := stream.read(min(skip, BLOCK_BYTES))):
        skip -= len(block)
    return skip == 0


def with_excess_told(header: Header, path: Path, held: int) -> Header:
    """See `check_voxels`, for so many bytes that were found."""
    promised = header.promised_bytes
    if held < promised:
        raise damaged(path, f"it holds {held} bytes of voxels of {promised} that its header promises")
    if held - promised < max(1, promised // header.sizes[-1]):
        return header
    note = f"it holds {held - promised} bytes more than its header promises; they are not read"
    return replace(header, notes=(*header.notes, note))
