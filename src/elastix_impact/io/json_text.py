"""JSON as this package writes it."""

import json
import math
from typing import Any, TextIO


def json_text(value: Any) -> str:
    """Indented JSON with a line end; numbers that JSON lacks (NaN, infinity) become null."""
    return json.dumps(_finite(value), indent=1, default=str) + "\n"


def write_event(stream: TextIO, event: str, **facts: Any) -> None:
    """One line of a stream of events (``--progress json``); numbers as in `json_text`."""
    stream.write(json.dumps(_finite({"event": event, **facts}), default=str) + "\n")
    stream.flush()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
