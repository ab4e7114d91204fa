"""How much memory a device has free, and how much a model takes."""

from functools import lru_cache
from typing import Any, final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from elastix_impact.errors import ModelError
from elastix_impact.io.system_memory import free_memory_of_system

from .load import FeatureModel
from .probe import find_probe

WORKSPACE = 2.0
"""Memory of an operation over that of its inputs and outputs: convolutions reorder what they read."""

PROBE_SIDE = {2: 64, 3: 32}
"""Voxels along the axes of the image on which a model's memory is measured, per dimension."""


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be taken on a device, None if the system doesn't tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free = free_memory_of_system() if device.type == "cpu" else None
    return None if free is None else free.bytes


def bytes_per_voxel(model: FeatureModel, dimension: int, channels: int, number_of_layers: int) -> float:
    """Memory that a pass without gradients takes per input voxel, measured on a small image of noise.

    Raises
    ------
    ModelError
        If the model takes none of the sizes tried.
    """
    side, largest = probe_pass(model, dimension, channels, number_of_layers)
    return WORKSPACE * largest / side**dimension


@lru_cache(maxsize=64)
def probe_pass(model: FeatureModel, dimension: int, channels: int, number_of_layers: int) -> tuple[int, int]:
    """Voxels along the axes of a small image that the model takes, and bytes of the largest operation on it.

    Raises
    ------
    ModelError
        If the model takes none of the sizes tried.
    """
    side = PROBE_SIDE[dimension]
    direction = torch.eye(dimension, dtype=torch.int64)
    try:
        return side, _largest_operation(model, (side,) * dimension, channels, number_of_layers, direction)
    except ModelError:
        side = find_probe(model, dimension, channels, number_of_layers, direction).narrow
        return side, _largest_operation(model, (side,) * dimension, channels, number_of_layers, direction)


def _largest_operation(
    model: FeatureModel, shape: tuple[int, ...], channels: int, number_of_layers: int, direction: Tensor
) -> int:
    """Bytes that the largest operation reads and writes for an image of `shape`."""
    image = torch.randn(1, channels, *shape, device=model.device)
    with torch.no_grad(), _LargestOperation() as largest:
        model(image, number_of_layers, torch.tensor([-3.0, 3.0, 0.0, 1.0]), direction)
    return largest.bytes


@final
class _LargestOperation(TorchDispatchMode):
    """Remembers the largest sum of bytes that one operation reads and writes."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nobody compiles this: else PyTorch's compiler is loaded to be told so, a second and a half of every run."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        out = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, out)) if isinstance(leaf, Tensor)]
        self.bytes = max(self.bytes, sum(tensor.numel() * tensor.element_size() for tensor in tensors))
        return out
