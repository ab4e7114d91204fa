"""Strictness for every test: seeds, threads, deterministic algorithms, and the folder of shared data."""

import os
from collections.abc import Iterator
from pathlib import Path

# Before torch. More threads than free cores wait for each other, so a worker beside others has one; and a thread that
# waits leaves its core to the others.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

import pytest
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared"

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
"""Relative tolerance of numeric comparisons, per dtype. A test that needs another says why."""


@pytest.fixture(autouse=True)
def _strict_torch() -> Iterator[None]:
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder ../shared with golden values and real images; skips the test where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is absent: golden values and real images are not part of the repository")
    return SHARED
