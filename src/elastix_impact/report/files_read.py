"""The files behind a report: which ones they are, and whether they are still what was registered."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from elastix_impact.io.input_files import what_became
from elastix_impact.staging.earlier import record_of
from elastix_impact.staging.staged import WORK_NAME
from elastix_impact.staging.swap import RECORD


def no_longer(record: dict[str, Any]) -> Iterator[str]:
    """Which of the files that were read are not what they were."""
    maps = [{"role": "parameter map", **stage.get("parameter_map", {})} for stage in record.get("stages", [])]
    for facts in [*_told(record), *maps]:
        became = what_became(facts)
        if became is not None:
            yield (
                f"The {facts['role']} is no longer the file that was registered: {facts['path']} "
                f"{'is missing' if became == 'missing' else 'has changed since'}."
            )


def later_run(folder: Path) -> Iterator[str]:
    """What a later run into the folder came to, if it did not end well."""
    later = record_of(folder / WORK_NAME)
    if later:
        yield (
            f"A later run into this folder is not complete ({later.get('status')}); this is the earlier result. "
            f"What it had is in {folder / WORK_NAME}."
        )


def files_of(folder: Path) -> list[Path]:
    """The files that a report of a run is made from: its own, and those that it read."""
    record = record_of(folder)
    return [
        folder / RECORD,
        *(folder / name for name in _listed(record, "files") if isinstance(name, str)),
        *(Path(facts["path"]) for facts in _told(record) if isinstance(facts["path"], str)),
    ]


def _told(record: dict[str, Any]) -> list[dict[str, Any]]:
    """What the record tells of each file that was read; nothing in those of earlier versions."""
    found = _listed(record, "files_read")
    return [facts for facts in found if isinstance(facts, dict) and {"role", "path"} <= facts.keys()]


def _listed(record: dict[str, Any], key: str) -> list[Any]:
    """A list in the record; empty if it is none."""
    found = record.get(key)
    return found if isinstance(found, list) else []
