"""TIFF files: every page, and every piece of a page, must lie inside the file (Adobe, TIFF 6.0; BigTIFF)."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, final

from .header import Header, check_sizes, damaged

MOST_PAGES = 1 << 16
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_KIND, _WIDTH, _LENGTH, _DESCRIPTION = 254, 256, 257, 270
_NO_PAGE = 5
"""Bits of a page's kind: a smaller copy, a mask."""
_PIECES = ((273, 279), (324, 325))
"""Where the strips, or the tiles, of a page lie, and their bytes."""
_IMAGEJ_PAGES = re.compile(rb"ImageJ=.*?\bimages=(\d+)", re.DOTALL)


@final
@dataclass(frozen=True)
class _Form:
    """How numbers are written: byte order, and the wider ones of BigTIFF."""

    order: str
    is_big: bool

    def read(self, file: IO[bytes], kinds: str) -> tuple[int, ...]:
        """The next numbers; raises struct.error at the end of the file."""
        return struct.unpack(self.order + kinds, file.read(struct.calcsize(self.order + kinds)))


Page = dict[int, tuple[int, ...] | bytes]
"""What is said of a page, by the numbers of its tags."""


def examine_tiff(path: Path) -> Header:
    """What a TIFF file promises, and that its pages are there; raises ImageError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            pages = [page for page in _pages(file, size, path) if not _first(page, _KIND) & _NO_PAGE]
        except struct.error:
            raise damaged(path, "it ends inside the description of a page") from None
    if not pages:
        raise damaged(path, "it holds no page")
    told = _IMAGEJ_PAGES.search(description) if isinstance(description := pages[0].get(_DESCRIPTION), bytes) else None
    if told is not None and int(told[1]) != len(pages):
        raise damaged(path, f"it holds {len(pages)} page of {int(told[1])} that ImageJ's note promises")
    flat = _first(pages[0], _WIDTH), _first(pages[0], _LENGTH)
    check_sizes(flat, 2, path)
    untold = ("no distance of its pages, no origin and no direction",) if len(pages) > 1 else ()
    return Header(sizes=(*flat, len(pages)), item_bytes=1, files=(path,), untold=untold)


def _first(page: Page, tag: int) -> int:
    numbers = page.get(tag)
    return numbers[0] if isinstance(numbers, tuple) and numbers else 0


def _pages(file: IO[bytes], size: int, path: Path) -> Iterator[Page]:
    """Page by page, each of them whole."""
    order = {b"II": "<", b"MM": ">"}.get(file.read(2))
    if order is None:
        raise damaged(path, "it does not begin as a TIFF file")
    form = _Form(order, is_big=False)
    (version,) = form.read(file, "H")
    if version not in (42, 43):
        raise damaged(path, "it does not begin as a TIFF file")
    if version == 43:
        form = _Form(order, is_big=True)
        form.read(file, "HH")
    (place,) = form.read(file, "Q" if form.is_big else "I")
    seen: set[int] = set()
    while place:
        if place in seen or len(seen) > MOST_PAGES or place >= size:
            raise damaged(path, f"its page {len(seen) + 1} lies at byte {place} of {size}")
        seen.add(place)
        file.seek(place)
        page, place = _page(file, form, size)
        _check_pieces(page, len(seen), size, path)
        yield page


def _page(file: IO[bytes], form: _Form, size: int) -> tuple[Page, int]:
    """One page's description, and where the next one lies (0: there is none)."""
    (count,) = form.read(file, "Q" if form.is_big else "H")
    page: Page = {}
    wanted = {_KIND, _WIDTH, _LENGTH, _DESCRIPTION, *(tag for pair in _PIECES for tag in pair)}
    for _ in range(min(count, size)):
        tag, kind = form.read(file, "HH")
        (length,) = form.read(file, "Q" if form.is_big else "I")
        inline = file.tell()
        after = inline + (8 if form.is_big else 4)
        if tag in wanted:
            item = _TYPE_BYTES.get(kind, 1)
            if length * item > after - inline:
                file.seek(form.read(file, "Q" if form.is_big else "I")[0])
            page[tag] = _values(file, form, kind, min(length, size))
        file.seek(after)
    return page, form.read(file, "Q" if form.is_big else "I")[0]


def _values(file: IO[bytes], form: _Form, kind: int, length: int) -> tuple[int, ...] | bytes:
    return form.read(file, f"{length}{_NUMBERS[kind]}") if kind in _NUMBERS else file.read(length)


def _check_pieces(page: Page, number: int, size: int, path: Path) -> None:
    """Refuse a page whose strips or tiles reach beyond the file, or that has none."""
    pairs = [(page[places], page[counts]) for places, counts in _PIECES if places in page and counts in page]
    if not pairs:
        raise damaged(path, f"its page {number} has no pixels")
    for places, counts in pairs:
        ends = [place + count for place, count in zip(places, counts)]
        if len(places) != len(counts) or max(ends, default=0) > size:
            raise damaged(path, f"the pixels of its page {number} reach to byte {max(ends, default=0)} of {size}")
