"""What does not depend on the case: the process itself, the allocator's holes, and how fast this machine is."""

import time
from functools import lru_cache

import torch

from elastix_impact.geometry.field import ScalarField
from elastix_impact.geometry.grid import Grid

LIBRARIES = 420 << 20
"""Memory of the process with PyTorch, SimpleITK and what of ours and of SciPy is loaded, before it holds anything:
measured 369 MiB for a translation of two tiny pictures and 410 for a preset, on Linux, x86-64, PyTorch for the CPU."""

HOLES, MOST_HOLES = 0.25, 256 << 20
"""Share of what is held that the allocator keeps beside it, and its most: glibc gives blocks above 32 MiB back at once,
and leaves holes between smaller ones. Measured 0.1 to 0.4."""

REFERENCE_SECONDS = 2.6e-3
"""What `_probe` takes with one thread of the machine on which the constants of time were measured: a Xeon of
2.5 GHz."""

TRIALS = 5
_PROBE_SIDE, _PROBE_POINTS = 64, 20_000


def process_bytes(held: float) -> int:
    """Memory of the process that holds so many bytes."""
    return int(LIBRARIES + held + min(HOLES * held, MOST_HOLES))


@lru_cache(maxsize=4)
def slowness(device: torch.device) -> float:
    """How many times as long as on the reference machine interpolation takes on this device, by a short trial."""
    generator = torch.Generator().manual_seed(0)
    grid = Grid.axis_aligned((_PROBE_SIDE,) * 3, (1.0,) * 3)
    field = ScalarField.from_volume(torch.rand(grid.shape, generator=generator).to(device), grid, 1)
    points = (torch.rand(_PROBE_POINTS, 3, generator=generator) * (_PROBE_SIDE - 1)).to(device)
    return min(_probe(field, points) for _ in range(TRIALS)) / REFERENCE_SECONDS


def _probe(field: ScalarField, points: torch.Tensor) -> float:
    """Seconds of reading values and slopes at some points."""
    began = time.perf_counter()
    values, _ = field.per_chunk(points, derivatives=True)
    float(values.sum())  # waits for the device
    return time.perf_counter() - began
