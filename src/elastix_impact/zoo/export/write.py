"""A TorchScript module into its file, whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

import torch

from elastix_impact.errors import OutputError


def write_model(module: torch.jit.ScriptModule, path: Path | str) -> Path:
    """Write a model under a temporary name beside `path` and rename it; folders are made if need be.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OutputError
        If the file can't be written; nothing stays under either name.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(module.save_to_buffer())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise OutputError(
            f"the model can't be written: {error.strerror}", where=str(path), remedy="Choose another folder"
        ) from error
    return path
