"""Files of a run that were damaged, or made by something else, since."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elastix_impact.errors import InputError


@contextmanager
def reading(where: Path) -> Iterator[None]:
    """In the block a file, or a folder of them, is understood; what can't be is an InputError that names it."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        said = " ".join(str(error).split())[:100]
        raise InputError(
            f"is not as elastix-impact wrote it ({type(error).__name__}: {said})",
            where=str(where),
            expected="the output folder of `elastix-impact run` or `register`, whole",
            remedy="Copy the folder again, or run the registration again",
        ) from error
