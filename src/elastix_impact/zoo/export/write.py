"""A TorchScript module into its file, whole or not at all."""

from pathlib import Path

import torch

from elastix_impact.io.atomic import output_errors, written_whole


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
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary:
        temporary.write_bytes(module.save_to_buffer())
    return path
