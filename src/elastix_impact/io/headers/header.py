"""What a header says of its voxels, in words that all formats share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from elastix_impact.errors import ImageError

Encoding = Literal["raw", "zlib", "gzip", "bzip2", "text"]

MOST_AXES = 5
"""Axes that SimpleITK can read."""

LARGEST_SIZE = 1 << 31
"""Voxels along an axis, values per voxel."""

MOST_FILES = 1 << 16
"""Data files that a pattern of names may stand for."""

SPACINGS_MM = (1e-6, 1e6)
"""Distances of voxels that mean something: from a nanometre to a kilometre."""


@final
@dataclass(frozen=True)
class Header:
    """What a header promises.

    Attributes
    ----------
    sizes
        Voxels per axis, the fastest first; an axis of values per voxel counts like any other.
    item_bytes
        Bytes of one number.
    files
        Where the numbers lie, one after the other: the file itself, or files that it names.
    skip
        Bytes of each file (of what it holds unpacked) before its numbers; None: the numbers are its end.
    packed_skip, packed_bytes
        Bytes before the packed stream, and of it as far as the header says.
    encoding
        How the numbers are packed.
    untold
        What the header leaves open of the image's place, in words: ``"no spacing"``.
    notes
        Sentences about what else its reader should know.
    non_finite
        Numbers that are NaN or infinite; counted only where ITK would hide them.
    """

    sizes: tuple[int, ...]
    item_bytes: int
    files: tuple[Path, ...]
    skip: int | None = 0
    packed_skip: int = 0
    packed_bytes: int | None = None
    encoding: Encoding = "raw"
    untold: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    non_finite: int = 0

    @property
    def count(self) -> int:
        """Numbers in all."""
        return math.prod(self.sizes)

    @property
    def promised_bytes(self) -> int:
        """Bytes of all numbers, unpacked."""
        return self.count * self.item_bytes


def damaged(path: Path, fault: str) -> ImageError:
    """The error for a file that is not as its header says."""
    return ImageError(f"the image is damaged: {fault}", where=str(path), remedy="Copy or export the image again")


def whole_numbers(words: str, key: str, path: Path) -> tuple[int, ...]:
    """The whole numbers of a header's line; raises ImageError."""
    try:
        return tuple(int(word) for word in words.split())
    except ValueError:
        raise damaged(path, f"its header's {key} is {words[:60]!r}, which are no whole numbers") from None


def whole_number(words: str, key: str, path: Path) -> int:
    """The whole number of a header's line; raises ImageError if there is none, or several."""
    numbers = whole_numbers(words, key, path)
    if len(numbers) != 1:
        raise damaged(path, f"its header's {key} is {words[:60]!r}, not one number")
    return numbers[0]


def numbered_names(pattern: str, numbers: range, key: str, path: Path) -> tuple[str, ...]:
    """The names that a pattern as ``slice%03d.raw`` stands for; raises ImageError for none or too many."""
    try:
        if not 0 < len(numbers) <= MOST_FILES:
            raise ValueError
        return tuple(pattern % number for number in numbers)
    except (OverflowError, TypeError, ValueError):
        words = f"{pattern[:60]!r} from {numbers.start} to before {numbers.stop}"
        raise damaged(path, f"its header's {key} is {words}, which is no pattern of 1 to {MOST_FILES} names") from None


def finite_numbers(words: Sequence[str], key: str, path: Path) -> tuple[float, ...]:
    """The numbers of a header's line; raises ImageError if one is none, NaN or infinite."""
    try:
        numbers = tuple(float(word) for word in words)
    except ValueError:
        numbers = (math.nan,)
    if not all(map(math.isfinite, numbers)):
        raise damaged(path, f"its header's {key} is {' '.join(words)[:60]!r}, which are no finite numbers")
    return numbers


def check_sizes(sizes: Sequence[int], dimension: int, path: Path) -> None:
    """Refuse sizes that are no image's; raises ImageError."""
    if not 1 <= dimension <= MOST_AXES:
        raise damaged(path, f"its header says {dimension} dimensions (2 to {MOST_AXES} can be read)")
    if len(sizes) != dimension:
        raise damaged(path, f"its header says {dimension} dimensions and names {len(sizes)} sizes")
    if not all(1 <= size < LARGEST_SIZE for size in sizes):
        raise damaged(path, f"its header says a size of {'x'.join(map(str, sizes))}")


def check_spacings(spacings: Sequence[float], path: Path) -> None:
    """Refuse spacings in mm that no voxel has; raises ImageError."""
    least, most = SPACINGS_MM
    if not all(least <= abs(spacing) <= most for spacing in spacings):
        words = " ".join(f"{spacing:.6g}" for spacing in spacings)
        raise ImageError(
            f"its header says a spacing of {words} mm",
            where=str(path),
            expected=f"{least:g} to {most:g} mm",
            remedy="Correct the header, or export the image again",
        )
