"""Which maps of the public ElastixModelZoo run here, and how: writes docs/model_zoo.md.

Usage: python -m tools.zoo_table FOLDER [--write docs/model_zoo.md]; FOLDER holds a checkout of
https://github.com/SuperElastix/ElastixModelZoo. Its files are read, never copied.
"""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from elastix_impact.errors import InputError
from elastix_impact.parameters.resolve import Resolution, resolve
from elastix_impact.parameters.text import read_parameter_map

VERDICTS = ("native", "handed on", "refused", "transform file", "no parameter map", "broken")


@dataclass(frozen=True)
class Row:
    """One file: its path below the folder, the verdict (one of `VERDICTS`), and the reason in a few words."""

    path: str
    verdict: str
    reason: str


def rows_of(folder: Path) -> list[Row]:
    """A row for every text file below `folder`, in order."""
    return [_row(path, path.relative_to(folder).as_posix()) for path in sorted(folder.rglob("*.txt"))]


def _row(path: Path, name: str) -> Row:
    try:
        raw = read_parameter_map(path)
    except InputError as error:
        problems = [str(getattr(problem, "message", problem)) for problem in getattr(error, "problems", ())]
        return Row(name, "broken", (problems or [error.what])[0])
    if raw.is_transform_file:
        return Row(name, "transform file", "the result of a registration")
    return _of_resolution(name, resolve(raw), is_map=bool(raw.entries))


def _of_resolution(name: str, resolution: Resolution, *, is_map: bool) -> Row:
    if resolution.plan is not None:
        warnings = [f"{p.parameter}: {p.message}" for p in resolution.problems if p.severity == "warning"]
        return Row(name, "native", warnings[0] if warnings else "")
    if resolution.handed_on is not None:
        return Row(name, "handed on", "needs " + ", ".join(dict.fromkeys(resolution.handed_on.components)))
    errors = [problem for problem in resolution.problems if problem.severity == "error"]
    first = errors[0]
    if not is_map or first.message.startswith("this is not a parameter map"):
        return Row(name, "no parameter map", "names no component of elastix")
    verdict = "broken" if first.parameter == "" else "refused"
    return Row(name, verdict, f"{first.parameter}: {first.message}" if first.parameter else first.message)


def table_text(rows: list[Row]) -> str:
    """The page."""
    counts = Counter(row.verdict for row in rows)
    lines = [
        "# The maps of the ElastixModelZoo",
        "",
        "Made by `python -m tools.zoo_table` from a checkout of the public ElastixModelZoo; none of its files is part "
        "of this project.",
        "**native**: runs here. **handed on**: runs in itk-elastix (extra `itk`), inside the same chain. **refused**: "
        "an error says why.",
        "",
        "| verdict | files |",
        "|---|---|",
        *(f"| {verdict} | {counts[verdict]} |" for verdict in VERDICTS if counts[verdict]),
        f"| in all | {len(rows)} |",
    ]
    for folder in dict.fromkeys(_folder(row) for row in rows):
        lines += ["", f"## {folder}", "", "| file | verdict | why, or first remark |", "|---|---|---|"]
        for row in rows:
            if _folder(row) == folder:
                name = row.path.removeprefix("models/").removeprefix(f"{folder}/")
                lines.append(f"| {name} | {row.verdict} | {_cell(row.reason)} |")
    return "\n".join(lines) + "\n"


def _folder(row: Row) -> str:
    parts = row.path.removeprefix("models/").split("/")
    return parts[0] if len(parts) > 1 else "top"


def _cell(text: str) -> str:
    flat = " ".join(text.split()).replace("|", "\\|")
    return flat if len(flat) <= 140 else flat[:137] + "..."


def main(arguments: list[str]) -> int:
    """Print or write the page."""
    parser = argparse.ArgumentParser(prog="python -m tools.zoo_table", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", type=Path)
    words = parser.parse_args(arguments)
    text = table_text(rows_of(words.folder))
    if words.write is None:
        sys.stdout.write(text)
    else:
        words.write.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
