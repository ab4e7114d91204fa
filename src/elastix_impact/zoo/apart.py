"""Models looked into in a process of their own, which can be ended: a TorchScript file is a program.

It may loop for ever with all signals ignored, take all memory, or crash PyTorch; none of that reaches this process. It
is no sandbox: such a program still acts with the rights of whoever runs it, see `trust`.
"""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, TypeVar, final

import torch

from elastix_impact import errors
from elastix_impact.child_process import NEUTRAL_FOLDER, child_environment, python_command
from elastix_impact.errors import ElastixImpactError, ModelError

from .inspect import ModelReport
from .memory import free_memory
from .report_json import report_of, verification_of
from .trust import trusted_folders
from .verify import Verification

SECONDS = 600.0
"""How long a model may take; the largest published ones need a tenth of it on one slow core."""

SHARE_OF_FREE_MEMORY = 0.8
LEAST_MEMORY = 2 << 30
"""Bytes that a model may always take."""

LARGEST_ANSWER = 16 << 20

_PROCESS = "elastix_impact.zoo.apart_process"

Found = TypeVar("Found", ModelReport, Verification)


@final
@dataclass(frozen=True)
class Limits:
    """What a model may take while it is looked into: `seconds`, and `memory` in bytes (None = `memory_limit`)."""

    seconds: float = SECONDS
    memory: int | None = None


USUAL_LIMITS = Limits()


def memory_limit() -> int:
    """Most of the memory that is free now, in bytes."""
    free = free_memory(torch.device("cpu"))
    return LEAST_MEMORY if free is None else max(LEAST_MEMORY, int(SHARE_OF_FREE_MEMORY * free))


def inspect_apart(path: Path, limits: Limits = USUAL_LIMITS) -> ModelReport:
    """What `inspect_model` finds, in a process of its own.

    Raises
    ------
    ModelError
        As `inspect_model`; if the model takes longer or more memory than the limits; if it crashes.
    """
    return _apart("inspect", path, limits, report_of)


def verify_apart(path: Path, limits: Limits = USUAL_LIMITS) -> Verification:
    """What `verify_model` finds, in a process of its own; raises as `inspect_apart`."""
    return _apart("verify", path, limits, verification_of)


def _apart(
    what: Literal["inspect", "verify"], path: Path, limits: Limits, decode: Callable[[dict[str, Any]], Found]
) -> Found:
    folders = trusted_folders()
    request = {
        "what": what,
        "path": os.path.abspath(path),
        "trusted": None if folders is None else [str(folder) for folder in folders],
        "memory": limits.memory or memory_limit(),
    }
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as words:
        code = _run(json.dumps(request), str(path), limits.seconds, answer, words)
        try:
            found = json.loads(_start(answer))
            if "error" in found:
                raise _error(found["error"])
            return decode(found)
        except (ValueError, TypeError, KeyError) as error:
            raise _crash(code, str(path), _start(words)) from error


def _run(request: str, path: str, seconds: float, answer: IO[bytes], words: IO[bytes]) -> int:
    """Run the process to its end, or end it; returns its exit code."""
    process = subprocess.Popen(
        python_command(_PROCESS), cwd=NEUTRAL_FOLDER, env=child_environment(),
        stdin=subprocess.PIPE, stdout=answer, stderr=words,
    )  # fmt: skip
    try:
        process.communicate(request.encode(), timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"the model did not come to an end within {seconds:g} s",
            where=path,
            remedy="Don't use it if you don't know its source; --model-timeout gives a slow one more time",
        ) from error
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return process.returncode


def _start(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(LARGEST_ANSWER).decode("utf-8", errors="replace")


def _error(said: list[Any]) -> ElastixImpactError:
    name, *parts = said
    kind = getattr(errors, name) if name in errors.__all__ else ModelError
    what, where, expected, remedy = parts
    return kind(what, where=where, expected=expected, remedy=remedy)


def _crash(code: int, path: str, words: str) -> ModelError:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    name = signal.Signals(-code).name if code < 0 and -code in signal.Signals else f"exit code {code}"
    said = f": {lines[-1][:300]}" if lines and code >= 0 else ""
    return ModelError(
        f"the process that looked into the model ended without an answer ({name}){said}",
        where=path,
        remedy="Don't use the model: it crashes PyTorch, or takes more memory than there is",
    )
