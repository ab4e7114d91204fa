"""What a pass of a model costs per input voxel, by a trial on a small image."""

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import torch

from .load import FeatureModel
from .memory import bytes_per_voxel, probe_pass


@final
@dataclass(frozen=True)
class ModelCost:
    """Per input voxel: memory and seconds of a pass without gradients, and numbers in each selected layer.

    Attributes
    ----------
    channels
        Of each selected layer.
    numbers_per_voxel
        Of each selected layer: channels over the product of its strides.
    """

    bytes_per_voxel: float
    seconds_per_voxel: float
    channels: tuple[int, ...]
    numbers_per_voxel: tuple[float, ...]


@lru_cache(maxsize=64)
def model_cost(model: FeatureModel, dimension: int, channels: int, layers_mask: tuple[bool, ...]) -> ModelCost:
    """The cost of a model; the state of PyTorch's random numbers is left as it was.

    Raises
    ------
    ModelError
        If the model takes none of the sizes tried.
    """
    direction, stats = torch.eye(dimension, dtype=torch.int64), torch.tensor([-3.0, 3.0, 0.0, 1.0])
    with torch.random.fork_rng(), torch.no_grad():
        memory = bytes_per_voxel(model, dimension, channels, len(layers_mask))
        side, _ = probe_pass(model, dimension, channels, len(layers_mask))  # warms the model up too
        image = torch.randn(1, channels, *(side,) * dimension, device=model.device)
        began = time.perf_counter()
        layers = model.selected_layers(image, layers_mask, stats, direction)
        numbers = tuple(layer[0].numel() / side**dimension for layer in layers)
        _wait_for(model.device)
        seconds = time.perf_counter() - began
    return ModelCost(memory, seconds / side**dimension, tuple(layer.shape[1] for layer in layers), numbers)


def _wait_for(device: torch.device) -> None:
    """Wait until a GPU has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
