"""What several tests of commands begin with."""

from pathlib import Path

import pytest

from small_case import MAP, write_small_case


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of a small case whose levels make 30 iterations."""
    folder = write_small_case(tmp_path / "Data")
    (folder / "ParameterMap.txt").write_text(MAP.replace("Iterations 40", "Iterations 30"))
    return folder
