"""The process that `hdf5.check_readable` starts: it reads the transform file that is its argument, and ends.

It imports nothing of this package, and limits itself, so that it ends too where its parent is no more.
"""

import contextlib
import sys

from SimpleITK import _SimpleITK  # pyright: ignore[reportAttributeAccessIssue]


def main(arguments: list[str]) -> int:
    """Read the file within so many CPU seconds; 1 where ITK refuses it."""
    path, seconds = arguments
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
    try:
        _SimpleITK.ReadTransform(path)
    except (RuntimeError, UnicodeDecodeError):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
