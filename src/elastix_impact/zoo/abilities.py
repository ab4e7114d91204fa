"""What a feature model can stand: image sizes, other devices, 16-bit arithmetic; and what it costs in memory."""

from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from elastix_impact.errors import ModelError

from .device_safety import device_fault
from .memory import bytes_per_voxel
from .probe import Probe, noise

SIDES = (*range(2, 17), *range(18, 33, 2), *range(36, 65, 4), 80, 96, 112, 128)
"""Sides in voxels that are tried until the model takes one."""

STEPS = (1, 2, 4, 8, 14, 16, 32, 64)
"""Steps in voxels from one accepted side to the next that are tried."""

CONTRAST, BRIGHTNESS = 300.0, 100.0
"""Of the image on which precisions are compared: about those of soft tissue in Hounsfield units."""


@final
@dataclass(frozen=True)
class Abilities:
    """What a model can stand, found by running it on the CPU.

    Attributes
    ----------
    smallest_side
        Voxels of the smallest square or cube that it takes; None if it takes none up to 128.
    side_step
        From one accepted side to the next; 1 = any size from the smallest on. None if none was found.
    device_fault
        Why it would fail on another device than the CPU (a tensor stuck there); "" if nothing speaks against it.
    bfloat16_error, float16_error
        How far its features are off under mixed precision, relative to their standard deviation, the worst layer;
        infinite if they overflow, None if it fails.
    memory_per_voxel
        Bytes per input voxel that a pass without gradients takes.
    """

    smallest_side: int | None
    side_step: int | None
    device_fault: str
    bfloat16_error: float | None
    float16_error: float | None
    memory_per_voxel: float


def find_abilities(probe: Probe) -> Abilities:
    """Try a model out; `probe` says what input it takes."""
    smallest = _smallest_side(probe)
    return Abilities(
        smallest_side=smallest,
        side_step=None if smallest is None else _side_step(probe, smallest),
        device_fault=device_fault(probe),
        bfloat16_error=precision_error(probe, torch.bfloat16),
        float16_error=precision_error(probe, torch.float16),
        memory_per_voxel=bytes_per_voxel(probe.model, probe.dimension, probe.channels, probe.n_layers),
    )


def _smallest_side(probe: Probe) -> int | None:
    refused = 1
    for side in SIDES:
        if takes_side(probe, side):
            between = (smaller for smaller in range(refused + 1, side) if takes_side(probe, smaller))
            return next(between, side)
        refused = side
    return None


def _side_step(probe: Probe, smallest: int) -> int | None:
    return next((step for step in STEPS if all(takes_side(probe, smallest + k * step) for k in (1, 2))), None)


def takes_side(probe: Probe, side: int) -> bool:
    """Whether the model gives finite layers, none of them empty, for an image of this side on every axis."""
    try:
        with torch.no_grad():
            layers = probe.run(noise((side,) * probe.dimension, probe.channels, seed=0))
    except ModelError:
        return False
    return all(layer.numel() > 0 and bool(torch.isfinite(layer).all()) for layer in layers)


def precision_error(probe: Probe, dtype: torch.dtype) -> float | None:
    """How far features computed in mixed precision are from those in float32, see `Abilities`."""
    image = BRIGHTNESS + CONTRAST * noise((probe.narrow,) * probe.dimension, probe.channels, seed=0)
    rounded = replace(probe, model=replace(probe.model, mixed_precision=dtype))
    try:
        with torch.no_grad():
            pairs = zip(rounded.run(image), probe.run(image))
            return max(_relative_error(layer, exact) for layer, exact in pairs)
    except ModelError:
        return None


def _relative_error(layer: Tensor, exact: Tensor) -> float:
    difference = (layer - exact).square().mean().sqrt()
    error = float(difference / (exact - exact.mean()).square().mean().sqrt().clamp_min(1e-12))
    return error if error < float("inf") else float("inf")
