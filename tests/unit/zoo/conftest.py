"""Small models with a known geometry, scripted into a temporary folder."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

Export = Callable[[nn.Module], Path]


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """Scripts a module and gives back the file."""

    def write(module: nn.Module) -> Path:
        path = tmp_path / f"model{len(list(tmp_path.iterdir()))}.pt"
        torch.jit.script(module.eval()).save(str(path))
        return path

    return write
