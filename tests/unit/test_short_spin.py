"""Threads spin shortly: asked for before PyTorch is loaded, unless the user has said something else."""

import os
import subprocess
import sys

import pytest

from elastix_impact.short_spin import SHORT, spin_shortly


@pytest.mark.parametrize(
    ("environment", "modules", "asks"),
    [
        ({"PATH": "/bin"}, {"sys"}, True),
        ({"PATH": "/bin"}, {"sys", "torch"}, False),
        ({"GOMP_SPINCOUNT": "7"}, set(), False),
        ({"KMP_BLOCKTIME": "infinite"}, set(), False),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, set(), False),
    ],
)
def test_what_the_user_said_holds(environment: dict[str, str], modules: set[str], asks: bool) -> None:
    before = dict(environment)
    spin_shortly(environment, modules)
    assert environment == (before | SHORT if asks else before)


@pytest.mark.parametrize("program", ["import elastix_impact", "import elastix_impact.cli.main"])
def test_importing_the_package_asks_for_it(program: str) -> None:
    code = f"import os; {program}; print(os.environ['GOMP_SPINCOUNT'], os.environ['KMP_BLOCKTIME'])"
    environment = {name: value for name, value in os.environ.items() if name not in (*SHORT, "OMP_WAIT_POLICY")}
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert output.stdout.split() == list(SHORT.values())
