"""Warnings for the user: seen as they come, and kept for the record."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import elastix_impact

_PACKAGE = Path(elastix_impact.__file__).parent


@contextlib.contextmanager
def collecting_warnings(collected: list[str], on_warning: Callable[[str], None] | None = None) -> Iterator[None]:
    """Inside the block, append each warning of this package to `collected`, once, and hand it to `on_warning`.

    Warnings of other packages go where they went before. Not for use in several threads at once, as
    `warnings.catch_warnings`.
    """

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if not (issubclass(category, UserWarning) and Path(filename).is_relative_to(_PACKAGE)):
            others(message, category, filename, lineno, file, line)
            return
        text = " ".join(str(message).split())
        if text in collected:
            return
        collected.append(text)
        if on_warning is not None:
            on_warning(text)

    with warnings.catch_warnings():
        others = warnings.showwarning
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield
