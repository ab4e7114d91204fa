"""A file system that fails: the n-th operation on a file below a folder ends in an OSError."""

import builtins
import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

OPERATIONS = ("open", "replace", "rename", "unlink", "mkdir", "rmdir", "fsync", "write", "ftruncate")
"""Of the module `os`; a file that Python opens for writing counts with its opening, each write, flush and close."""


class FailingFiles:
    """Counts the operations below `folder` and makes number `fails` (from 1 on) fail with `code`; 0 = none.

    Attributes
    ----------
    count
        The operations so far.
    failed
        Which one failed, in words; empty if none has.
    """

    def __init__(self, folder: Path, fails: int, code: int = errno.ENOSPC) -> None:
        self.folder, self.fails, self.code = str(folder), fails, code
        self.count, self.failed = 0, ""
        self.descriptors: set[int] = set()

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for name in OPERATIONS:
            patch.setattr(os, name, self._operation(name, getattr(os, name)))
        opens = self._opening(io.open)
        patch.setattr(io, "open", opens)
        patch.setattr(builtins, "open", opens)

    def step(self, what: str) -> None:
        self.count += 1
        if self.count == self.fails:
            self.failed = what
            raise OSError(self.code, os.strerror(self.code), what)

    def _operation(self, name: str, does: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*arguments: Any, **more: Any) -> Any:
            first = arguments[0]
            ours = first in self.descriptors if isinstance(first, int) else self._is_ours(first)
            if name == "open" and not arguments[1] & (os.O_WRONLY | os.O_RDWR):
                found = does(*arguments, **more)
                self.descriptors.discard(found)
                if ours:
                    self.descriptors.add(found)  # its fsync counts
                return found
            if ours:
                self.step(f"{name} {first}")
            found = does(*arguments, **more)
            if name == "open":
                self.descriptors.discard(found)
                if ours:
                    self.descriptors.add(found)
            return found

        return operation

    def _opening(self, opens: Callable[..., Any]) -> Callable[..., Any]:
        def opening(file: Any, mode: str = "r", *arguments: Any, **more: Any) -> Any:
            if isinstance(file, int) or not self._is_ours(file) or not set(mode) & set("wax+"):
                return opens(file, mode, *arguments, **more)
            self.step(f"open {file}")
            return _File(opens(file, mode, *arguments, **more), self, str(file))

        return opening

    def _is_ours(self, path: Any) -> bool:
        return os.path.abspath(os.fsdecode(path)).startswith(self.folder)


class _File:
    """An open file whose writes, flushes and closing count."""

    def __init__(self, file: Any, files: FailingFiles, name: str) -> None:
        self._file, self._files, self._name = file, files, name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, what: Any) -> int:
        self._files.step(f"write {self._name}")
        return self._file.write(what)

    def flush(self) -> None:
        self._files.step(f"flush {self._name}")
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
