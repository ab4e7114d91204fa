"""What fails inside a model, turned into errors that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from elastix_impact.errors import MemoryShortError, ModelError
from elastix_impact.interruption import raise_kept

_MEMORY_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")


def is_memory_short(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on whatever device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError | MemoryShortError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _MEMORY_SIGNS)


@contextmanager
def model_failures(path: Path, x: Tensor) -> Iterator[None]:
    """Turn what fails inside while the model of `path` works on `x` into a ModelError with a remedy."""
    try:
        yield
    except (RuntimeError, IndexError, AssertionError, MemoryError, torch.jit.Error) as error:
        raise_kept()
        raise _explained(error, path, x) from error


def _explained(error: BaseException, path: Path, x: Tensor) -> ModelError:
    text, size = essence(error), "x".join(map(str, x.shape))
    if is_memory_short(error):
        return MemoryShortError(
            f"memory ran out on {x.device} with an input of {size}",
            where=str(path),
            remedy="Set ImpactPatchSize to tiles such as 64 64 64, or make ImpactVoxelSize larger",
        )
    hint = "Check ImpactDimension, ImpactNumberOfChannels and ImpactPatchSize"
    if "channel" in text:
        hint = f"Set ImpactNumberOfChannels to what the model wants (it got {x.shape[1]})"
    elif any(sign in text for sign in ("batched", "spatial", "padding", "kernel size", "too small")):
        hint = "Set ImpactDimension to the model's, and ImpactPatchSize to a size it can take"
    return ModelError(
        f"the model fails on an input of {size} (batch x channels x spatial): {text}",
        where=str(path),
        remedy=hint,
    )


def essence(error: BaseException) -> str:
    """The last line of an error, without TorchScript's stack: what actually went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if "Error: " in line]
    last = (said or lines or [type(error).__name__])[-1]
    return last.split("Error: ")[-1].rstrip(".")
