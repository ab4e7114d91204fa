"""`elastix-impact models list` and `models download`: which published models there are, and getting them."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elastix_impact.io.json_text import json_text

from .failures import say_note

if TYPE_CHECKING:
    from elastix_impact.zoo.catalog import CatalogEntry


def add_actions(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the two actions."""
    listing = actions.add_parser("list", help="the published models", description="Lists the published models.")
    listing.add_argument("names", nargs="*", metavar="NAME", help="models or families (default: all)")
    listing.add_argument("--json", action="store_true", help="print JSON instead of a table")
    listing.set_defaults(run=run_list)
    download = actions.add_parser("download", help="get published models", description=_DOWNLOAD)
    download.add_argument("names", nargs="+", metavar="NAME", help="models (TS/M730) or whole families (TS)")
    download.add_argument(
        "--to", type=Path, default=Path("Models"), metavar="DIR", help="folder of the models (default: Models)"
    )
    download.add_argument(
        "--revision",
        metavar="REV",
        help="branch, tag or commit of the repository (default: the commit of the folder's other files, else main)",
    )
    download.add_argument(
        "--accept-changes", action="store_true", help="take a file that differs from the one fetched before"
    )
    download.add_argument("--json", action="store_true", help="print JSON instead of lines")
    download.set_defaults(run=run_download)


_DOWNLOAD = (
    "Fetches models from Hugging Face (HF_TOKEN, HF_HOME, HF_ENDPOINT, HF_HUB_OFFLINE hold) and writes what came, with "
    "its commit and SHA-256, into models.lock.json: later downloads are of that commit, other bytes are refused and "
    "removed, and what no hash is known of is said to be not verified. MIND models are made from code, without a "
    "download. Nothing is loaded: a TorchScript file is a program, use it if you trust its authors."
)


def chosen(names: Sequence[str]) -> "list[CatalogEntry]":
    """The entries that names or families mean, all if there are none.

    Raises
    ------
    ModelError
        Naming one that is unknown, with near names.
    """
    from elastix_impact.zoo.catalog import CATALOG, FAMILIES, find_entry

    families = {key.lower(): key for key in FAMILIES}
    found: dict[str, CatalogEntry] = {}
    for name in names or tuple(FAMILIES):
        family = families.get(name.rstrip("/").lower())
        entries = [find_entry(name)] if family is None else [e for e in CATALOG.values() if e.family == family]
        found |= {entry.name: entry for entry in entries}
    return list(found.values())


def run_list(arguments: argparse.Namespace) -> int:
    """Print a table (or JSON) on stdout; exit code 0."""
    from dataclasses import asdict

    entries = chosen(arguments.names)
    sys.stdout.write(json_text([asdict(entry) for entry in entries]) if arguments.json else list_text(entries))
    return 0


def list_text(entries: "Sequence[CatalogEntry]") -> str:
    """The entries by family."""
    from elastix_impact.zoo.catalog import FAMILIES

    lines: list[str] = []
    for key in dict.fromkeys(entry.family for entry in entries):
        family = FAMILIES[key]
        lines += [f"{family.title}: {family.citation}; {family.source}; licence: {family.licence}"]
        lines += [_row("", "trained on", "input", "channels of the layers", "strides", "")]
        lines += [_entry_row(entry) for entry in entries if entry.family == key]
        lines.append("")
    return "\n".join(line.rstrip() for line in lines)


def _entry_row(entry: "CatalogEntry") -> str:
    channels = " ".join(str(layer.channels or "classes") for layer in entry.layers)
    strides = " ".join(str(layer.stride) for layer in entry.layers)
    shape = f"{entry.dimension}-D, {entry.channels} ch."
    return _row(entry.name, entry.modality, shape, channels, strides, entry.note)


def _row(name: str, modality: str, shape: str, channels: str, strides: str, note: str) -> str:
    return f"  {name:<23}{modality:<12}{shape:<12}{channels:<38}{strides:<20}{note}"


def run_download(arguments: argparse.Namespace) -> int:
    """Fetch and say what came, on stderr while it goes on, on stdout at the end; exit code 0."""
    from dataclasses import asdict

    from elastix_impact.zoo.fetch import fetch_models

    entries = chosen(arguments.names)
    made: list[dict[str, Any]] = [_made(entry, arguments.to) for entry in entries if entry.made_here]
    fetched = fetch_models(
        [entry for entry in entries if not entry.made_here],
        arguments.to,
        revision=arguments.revision,
        accept_changes=arguments.accept_changes,
        report=say_note,
    )
    files = [*made, *(asdict(model) for model in fetched)]
    sys.stdout.write(json_text(files) if arguments.json else "".join(f"{file['path']}\n" for file in files))
    return 0


def _made(entry: "CatalogEntry", folder: Path) -> dict[str, Any]:
    """Make a MIND model from code."""
    from elastix_impact.zoo.export.mind import export_mind, mind_settings

    settings = mind_settings(Path(entry.name).name)
    assert settings is not None
    path = export_mind(folder / entry.name, *settings)
    say_note(f"{path}: made from code")
    return {"name": entry.name, "path": str(path), "made_from_code": True}
