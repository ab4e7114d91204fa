"""Files of a run that were damaged, by a seed: JSON whose values are others, tables, what is cut, other bytes."""

import json
import random
from pathlib import Path
from typing import Any

HOSTILE: tuple[object, ...] = (
    None, True, False, 0, -1, 1e308, -1e308, 10**30, "", "x", "nan", "../../x", "é\n\n", "a" * 5000, [], {}, [1], [[]],
    {"x": 1}, [None, None, None], ["x", "y", "z"], [1e308, 0, -1], {"path": "/dev/null"}, {"0": {"1": {}}},
)  # fmt: skip


def spoil(content: bytes, suffix: str, draw: random.Random) -> tuple[str, bytes]:
    """How the content of a file was damaged, and what it is then."""
    how = draw.choice(("value", "value", "value", "gone", "byte", "cut")) if suffix == ".json" else draw.choice(
        ("byte", "cut", "line", "word")
    )  # fmt: skip
    if how in ("value", "gone"):
        record = json.loads(content)
        for _ in range(draw.choice((1, 1, 3))):
            _spoil_node(record, how, draw)
        return how, json.dumps(record).encode()
    if how == "cut" or not content:
        return how, content[: draw.randrange(len(content) + 1)]
    if how in ("line", "word"):
        return how, _other_lines(content, how, draw)
    damaged = bytearray(content)
    for _ in range(draw.choice((1, 1, 8))):
        damaged[draw.randrange(len(damaged))] = draw.randrange(256)
    return how, bytes(damaged)


def _spoil_node(node: Any, how: str, draw: random.Random) -> None:
    """Give one value, at any depth, another, or take it away."""
    while True:
        places = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not places:
            return
        place = draw.choice(places)
        child = node[place]
        if isinstance(child, dict | list) and child and draw.random() < 0.8:
            node = child
            continue
        if how == "gone":
            del node[place]
        else:
            node[place] = draw.choice(HOSTILE)
        return


def _other_lines(content: bytes, how: str, draw: random.Random) -> bytes:
    lines = content.split(b"\n")
    place = draw.randrange(len(lines))
    if how == "line":
        line = lines.pop(place)
        if draw.random() < 0.5:
            at = draw.randrange(len(lines) + 1)
            lines[at:at] = [line, line]
        return b"\n".join(lines)
    words = lines[place].replace(b",", b" , ").split(b" ")
    words[draw.randrange(len(words))] = draw.choice((b"nan", b"inf", b"", b"x", b"1e999", b"-1", b"9" * 400, b"\xff"))
    lines[place] = b" ".join(words)
    return b"\n".join(lines)


def files_of(run: Path) -> list[Path]:
    """The files of a run that a report reads, and often those that hold most."""
    tables = [*sorted(run.glob("IterationInfo.*")), run / "landmarks.csv", *sorted(run.glob("TransformParameters.*"))]
    return [run / "registration.json"] * 6 + [run / "evaluation.json"] * 4 + tables
