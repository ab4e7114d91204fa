"""Every file of the public ElastixModelZoo is understood, and the table in the docs says what becomes of it."""

import os
from pathlib import Path

import pytest
from tools.zoo_table import VERDICTS, rows_of, table_text

PAGE = Path(__file__).resolve().parents[2] / "docs" / "model_zoo.md"


@pytest.fixture(scope="module")
def zoo(shared: Path) -> Path:
    """A checkout of the zoo: ELASTIX_MODEL_ZOO, or a folder of that name in the shared one."""
    folder = Path(os.environ.get("ELASTIX_MODEL_ZOO", shared / "ElastixModelZoo"))
    if not folder.is_dir():
        pytest.skip(f"no ElastixModelZoo at {folder}; set ELASTIX_MODEL_ZOO")
    return folder


@pytest.mark.shared
def test_every_file_has_a_verdict_and_the_page_says_it(zoo: Path) -> None:
    rows = rows_of(zoo)
    assert len(rows) == 298
    assert {row.verdict for row in rows} <= set(VERDICTS)
    assert all(row.reason for row in rows if row.verdict != "native")
    assert table_text(rows) == PAGE.read_text(encoding="utf-8")


def test_the_page_is_there_and_counts_its_rows() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    cells = [line.split(" | ") for line in lines if line.startswith("| ") and ".txt" in line]
    counts = {verdict: sum(cell[1] == verdict for cell in cells) for verdict in VERDICTS}
    for verdict, count in counts.items():
        assert (f"| {verdict} | {count} |" in lines) == (count > 0)
    assert f"| in all | {len(cells)} |" in lines
