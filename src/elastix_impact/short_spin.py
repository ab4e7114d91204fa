"""How long a thread of PyTorch's waits for work before it gives its processor to others.

OpenMP's threads spin meanwhile. On a machine with other work to do that takes the processor from those that they wait
for: with two threads and four busy neighbours on two cores a registration takes seven times as long, with a short spin
three times. On a quiet machine a short spin costs nothing (`benchmarks/busy.py`).
"""

import os
import sys
from collections.abc import Container, MutableMapping

SHORT = {"GOMP_SPINCOUNT": "2000", "KMP_BLOCKTIME": "1"}
"""Environment variables: rounds, for the GNU runtime of PyTorch's wheels for Linux; ms, for LLVM's and Intel's."""

_POLICY = "OMP_WAIT_POLICY"


def spin_shortly(environment: MutableMapping[str, str] = os.environ, modules: Container[str] = sys.modules) -> None:
    """Ask for a short spin, unless the user has said something about it, or PyTorch, which looks once, is loaded."""
    if "torch" not in modules and not any(name in environment for name in (_POLICY, *SHORT)):
        environment.update(SHORT)
